'use strict'
// The public client `openwhisk` by remote control. A line of JSON is one call, {"id", "call": "actions.create", "options"}; the line that
// answers it has its "id" and "value", or "error" and "status". An option {"$bytes": base64} becomes a Buffer; the empty Buffer that the client
// makes of an empty reply becomes null. Arguments: apihost, key, and a namespace or nothing.

const readline = require('node:readline')
const openwhisk = require(`${process.cwd()}/node_modules/openwhisk`)

const [apihost, key, namespace] = process.argv.slice(2)
const client = openwhisk({ apihost, api_key: key, namespace })
const revive = (_, value) => (value && value.$bytes !== undefined ? Buffer.from(value.$bytes, 'base64') : value)

async function answer (line) {
  const { id, call, options } = JSON.parse(line, revive)
  const [resource, method] = call.split('.')
  try {
    const value = await client[resource][method](options)
    return { id, value: Buffer.isBuffer(value) && value.length === 0 ? null : value }
  } catch (error) {
    return { id, error: error.message, status: error.statusCode, body: error.error }
  }
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => console.log(JSON.stringify(await answer(line))))
