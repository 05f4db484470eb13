/** A network namespace for one program and all it starts: EndpointSlices refuse loopback addresses, and a Pod's address is nobody else's. */
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Every address of the Pods is local there, without naming each. */
const POD_ADDRESSES = '10.244.0.0/16'

/**
 * Starts a Node script in a network and process namespace of its own. When the script ends, however it does, the kernel ends what it
 * started and takes the namespaces away; the script ends when this process does. Its standard output is for the caller to read.
 */
export async function startInOwnNetwork(script: string, args: readonly string[]): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const [command, ...rest] = await inOwnNetwork(script, args)
  return spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** The command line that runs a Node script so, for whoever starts it in another way. */
export async function inOwnNetwork(script: string, args: readonly string[]): Promise<readonly [command: string, ...args: string[]]> {
  await requireIp()
  const unshare = [...(isRoot() ? [] : ['--user', '--map-root-user']), '--net', '--pid', '--mount-proc', '--fork', '--kill-child']
  await run('unshare', [...unshare, 'ip', 'link', 'set', 'lo', 'up']).catch((cause) => {
    throw new Error(
      `This needs a network namespace of its own, and this machine allows none (unshare: ${String(cause.stderr || cause.message).trim()}). ` +
        'Run it as root, in a container with CAP_SYS_ADMIN, or where unprivileged user namespaces are allowed (sysctl kernel.unprivileged_userns_clone=1, ' +
        'on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0).',
      { cause }
    )
  })
  const setUp = `ip link set lo up && ip addr add ${POD_ADDRESSES} dev lo && exec "$@"`
  return ['unshare', ...unshare, 'sh', '-c', setUp, 'sh', process.execPath, script, ...args]
}

/** Ends the process when the one that started it has gone, or asks it to. */
export function endWithParent(): void {
  const end = () => process.exit(130)
  process.stdin.on('end', end).resume()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
}

async function requireIp(): Promise<void> {
  if (await hasIp()) return
  const packages = (command: string, ...args: string[]) =>
    run(command, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  if (isRoot()) {
    await packages('apt-get', 'update').catch(() => undefined)
    await packages('apt-get', 'install', '--yes', '--no-install-recommends', 'iproute2').catch(() => undefined)
  }
  if (!(await hasIp())) throw new Error('This needs the command "ip": install the package iproute2.')
}

function hasIp(): Promise<boolean> {
  return run('ip', ['-V']).then(
    () => true,
    () => false
  )
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
