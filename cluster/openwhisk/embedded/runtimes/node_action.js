'use strict'
// The Node runtime: the HTTP server in a container that answers /init once and /run from then on.
//
// What an action does wrong is answered as the real runtime does it:
//
//   the action                           answer                                        then
//   throws                               502 "An error has occurred: ..."              stopped: no further run
//   returns a promise that is rejected   200 {"error": reason}                         stays
//   returns undefined                    200 {}                                        stays
//   returns what is no object            502 "did not return a dictionary or array"    stays
//   does not load, or has no such main   502 at /init                                  stays
//   is initialised a second time         403                                           stays
//
// No packages, Node 14 and later. The listening socket is descriptor 3.

const fs = require('fs')
const http = require('http')
const path = require('path')
const { createRequire } = require('module')

const SENTINEL = 'XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n'
const LISTENER = 3

let main = null
let stopped = false

const failure = (status, text) => ({ status, body: { error: text } })

function init (value) {
  if (main) return failure(403, 'Cannot initialize the action more than once.')
  if (!value.code) return failure(403, 'Missing main/no code to execute.')
  Object.assign(process.env, value.env)
  try {
    main = load(value.code, value.binary, value.main || 'main')
  } catch (error) {
    console.error(error)
    endLogs()
    return failure(502, `Initialization has failed due to: ${error}`)
  }
  return { status: 200, body: { OK: true } }
}

// The function to call: a top-level one, or one of the exports.
function load (code, binary, name) {
  if (binary) throw new Error('this platform runs Node code as text only, not as an archive')
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) throw new Error(`'${name}' is not the name of a function`)
  const file = path.join(process.cwd(), 'main__.js')
  fs.writeFileSync(file, code)
  const scope = { exports: {} }
  const evaluate = new Function('module', 'exports', 'require', '__filename', '__dirname', // eslint-disable-line no-new-func
    `${code}\n;return typeof ${name} === 'function' ? ${name} : module.exports.${name}`)
  const found = evaluate(scope, scope.exports, createRequire(file), file, process.cwd())
  if (typeof found !== 'function') throw new Error(`it has no function '${name}'`)
  return found
}

async function run (request) {
  if (!main) return failure(500, 'Cannot run an action that was not initialized.')
  if (stopped) return failure(502, 'The action has thrown an error before and is stopped.')
  for (const [key, value] of Object.entries(request)) {
    if (key !== 'value') process.env[`__OW_${key.toUpperCase()}`] = value
  }
  let pending
  try {
    pending = main(request.value || {})
  } catch (error) {
    console.error(error)
    stopped = true
    return failure(502, `An error has occurred: ${error}`)
  }
  let result
  try {
    result = await pending
  } catch (reason) {
    return { status: 200, body: { error: reason instanceof Error ? String(reason) : reason === undefined ? {} : reason } }
  }
  if (result === undefined) return { status: 200, body: {} }
  if (typeof result !== 'object') return failure(502, 'The action did not return a dictionary or array.')
  return { status: 200, body: result }
}

function endLogs () {
  process.stdout.write(SENTINEL)
  process.stderr.write(SENTINEL)
}

function answer (response, { status, body }) {
  let text
  try {
    text = JSON.stringify(body)
  } catch (error) {
    console.error(error)
    ;({ status, text } = { status: 502, text: JSON.stringify({ error: `An error has occurred: ${error}` }) })
  }
  const bytes = Buffer.from(text)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length })
  response.end(bytes)
}

const server = http.createServer((request, response) => {
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', async () => {
    const body = JSON.parse(Buffer.concat(parts).toString())
    if (request.url === '/run') {
      answer(response, await run(body))
      // After the answer, so that nobody waits for it: the platform has the logs to wait for, if it wants them.
      endLogs()
    } else if (request.url === '/init') {
      answer(response, init(body.value))
    } else {
      answer(response, failure(404, 'There are /init and /run.'))
    }
  })
})

// The platform keeps its connection for the life of the container, however long it is idle.
server.keepAliveTimeout = 0
server.requestTimeout = 0
server.listen({ fd: LISTENER })
