// Run before the scripts of package.json: installs what the lock file says, and sees to a Node that runs TypeScript.
// Plain JavaScript without dependencies, since the Node that starts it may be any.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'

const LOCK = 'package-lock.json'
const INSTALLED = 'node_modules/.installed-lock.json'

if (read(LOCK) !== read(INSTALLED)) install()
requireNode()

function install() {
  process.stderr.write('Installing dependencies\n')
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm']
  const [command, ...args] = [...npm, 'install', '--prefer-offline', '--ignore-scripts', '--no-progress', '--loglevel=error']
  // Standard output belongs to the script that comes after.
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 2] })
  if (status !== 0) fail('npm could not install the dependencies')
  copyFileSync(LOCK, INSTALLED)
}

/** The Node that scripts find is the one in node_modules/.bin where its package supports the platform, else the machine's own. */
function requireNode() {
  const required = JSON.parse(readFileSync('package.json', 'utf8')).engines.node.replace('>=', '')
  const found = String(spawnSync('node', ['--version']).stdout ?? '').trim()
  const [major, minor] = numbers(found)
  const [requiredMajor, requiredMinor] = numbers(required)
  if (major > requiredMajor || (major === requiredMajor && minor >= requiredMinor)) return
  fail(
    `hitless needs Node ${required} or newer, and found ${found || 'none that starts'}: install it from https://nodejs.org and run this again`
  )
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
