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
const zlib = require('zlib')
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

// The function to call: a top-level one or one of the exports; of an archive, one that its package exports.
function load (code, binary, name) {
  const found = binary ? loadArchive(code, name) : loadText(code, name)
  if (typeof found !== 'function') throw new Error(`it has no function '${name}'`)
  return found
}

function loadText (code, name) {
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) throw new Error(`'${name}' is not the name of a function`)
  const file = path.join(process.cwd(), 'main__.js')
  fs.writeFileSync(file, code)
  const scope = { exports: {} }
  const evaluate = new Function('module', 'exports', 'require', '__filename', '__dirname', // eslint-disable-line no-new-func
    `${code}\n;return typeof ${name} === 'function' ? ${name} : module.exports.${name}`)
  return evaluate(scope, scope.exports, createRequire(file), file, process.cwd())
}

function loadArchive (code, name) {
  const root = process.cwd()
  unpack(Buffer.from(code, 'base64'), root)
  if (!['package.json', 'index.js'].some(file => fs.existsSync(path.join(root, file)))) {
    throw new Error('Zipped actions must contain either package.json or index.js at the root.')
  }
  return require(root)[name]
}

// The entries of a zip archive as files below the folder, by its central directory: those that zip tools write, stored or deflated.
function unpack (archive, folder) {
  let end = archive.length - 22
  while (end >= 0 && archive.readUInt32LE(end) !== 0x06054b50) end--
  if (end < 0) throw new Error('the code is not a zip archive')
  let at = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameEnd = at + 46 + archive.readUInt16LE(at + 28)
    const name = archive.toString('utf8', at + 46, nameEnd)
    const file = path.join(folder, path.normalize(path.join('/', name))) // an entry cannot lead out of the folder
    const permissions = (archive.readUInt32LE(at + 38) >>> 16) & 0o777
    if (name.endsWith('/')) {
      fs.mkdirSync(file, { recursive: true })
    } else {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, content(archive, at))
      if (permissions) fs.chmodSync(file, permissions | 0o600)
    }
    at = nameEnd + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
}

// The bytes of the entry whose record in the central directory is at `at`.
function content (archive, at) {
  const local = archive.readUInt32LE(at + 42)
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  const packed = archive.subarray(start, start + archive.readUInt32LE(at + 20))
  const method = archive.readUInt16LE(at + 10)
  if (method === 0) return packed
  if (method === 8) return zlib.inflateRawSync(packed)
  throw new Error(`the archive is packed in a way that is not known here (method ${method})`)
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
    text = JSON.stringify(body) ?? 'null' // a toJSON may say undefined
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
