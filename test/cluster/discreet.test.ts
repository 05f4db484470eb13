/** What a real process tells in its log, and whom it talks to. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

// Go builds what no other run has.
t.setTimeout(1_800_000)

const SECRET = 'hunter2-hunter2'
const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
const record = join(t.testdir({ connects: '' }), 'connects')
process.env['RECORD_CONNECTS'] = record
const hook = join(import.meta.dirname, '..', 'rig', 'record-connects.ts')
const hitless = await startHitless(plane, { flags: ['--log-level', 'trace'], nodeFlags: ['--import', hook] })
t.teardown(() => hitless.stop())

const annotations = { note: SECRET }
const apply = (manifest: object) => plane.kubectl(['apply', '-n', 'default', '-f', '-'], { input: JSON.stringify(manifest) })
await apply(service({}, { annotations }))
const refused = await apply(virtualService([rule([to('v9')], [{ headers: { token: { exact: SECRET } } }])], {}, { annotations }))
await fetch(`https://127.0.0.1:${hitless.port}/validate`, { method: 'POST', body: SECRET }).catch(() => undefined)
const sockets = remotePorts(hitless.pid)
await hitless.stop()

t.test('no token, key or content of objects is in the log', async (t) => {
  const log = hitless.log()
  t.match(refused.stderr, /denied the request/)
  t.match(log, '"msg":"denied"')
  for (const [what, text] of [
    ['the token', plane.token],
    ['content of an object', SECRET],
    ['a key', 'PRIVATE KEY'],
    ['a certificate', 'BEGIN CERTIFICATE'],
    ['a header that bears a token', 'Bearer ']
  ] as const) {
    t.notOk(log.toLowerCase().includes(text.toLowerCase()), what)
  }
})

t.test('the API server is the only one that it connects to', async (t) => {
  const { host, port } = new URL(plane.url)
  t.strictSame([...new Set(readFileSync(record, 'utf8').trim().split('\n'))], [host], 'every connection that it began')
  t.ok(sockets.has(Number(port)), 'its watches are open')
  const served = new Set([hitless.port, hitless.healthPort])
  for (const [remote, local] of sockets) t.ok(remote === Number(port) || served.has(local), `${local} -> ${remote}`)
})

/** Of each connection of a process, as the kernel has it: its remote port, and its local one. */
function remotePorts(pid: number): Map<number, number> {
  const folder = `/proc/${pid}/fd`
  const own = new Set(readdirSync(folder).map((fd) => /^socket:\[(\d+)\]$/.exec(readlink(join(folder, fd)))?.[1]))
  const lines = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1)
  )
  const found = new Map<number, number>()
  for (const line of lines) {
    const [, local = '', remote = '', , , , , , , inode] = line.trim().split(/\s+/)
    if (own.has(inode) && portOf(remote) !== 0) found.set(portOf(remote), portOf(local))
  }
  return found
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16)
}

/** A descriptor may be closed between the listing and the look. */
function readlink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
