/** The first days on a real API server: nothing is refused, what would have been is told, and the same file makes it so from one second to the next. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { hitless as run } from '../cli/commands.ts'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(2 * 60_000)

const RULE = '/apis/networking.istio.io/v1/namespaces/default/destinationrules/helloworld'

interface Listed {
  readonly refusals: readonly { readonly user: string; readonly refused: boolean; readonly time: string }[]
}

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
for (const manifest of [service({ selector: null }), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])])
  await apply(manifest)
const config = join(plane.directory, 'config.yaml')
const configure = (mode: string) => writeFileSync(config, `{ apiVersion: hitless.io/v1, kind: Config, mode: ${mode} }`)
configure('observe')
const hitless = await startHitless(plane, { flags: ['--config', config] })
t.teardown(() => hitless.stop())

const CLUSTER = ['--cluster', '--kubeconfig', plane.kubeconfig]
const withoutV1 = { spec: destinationRule(['v2'])['spec'] }
const merge = (as: string, body: unknown, query = '') =>
  plane.api.request<{ message?: string }>('PATCH', `${RULE}${query}`, { body, as, contentType: 'application/merge-patch+json' })

await grant('alice', 'bob')

t.test('at first nothing is listed', async (t) => {
  t.same(await run(['audit', ...CLUSTER, '--refusals']), { exit: 0, out: '0 refusals\n', err: '' })
})

t.test('a write that would be refused is made; its writer is told, and so are the metrics and the log', async (t) => {
  const { status, warnings } = await merge('alice', withoutV1)
  t.equal(status, 200)
  t.match(
    warnings.join('\n'),
    /hitless would refuse this: 100% of requests to helloworld\.default\.svc\.cluster\.local:\d+ .*\[subset-in-use\]/s
  )
  const metrics = await (await fetch(`http://127.0.0.1:${hitless.healthPort}/metrics`)).text()
  t.match(metrics, 'hitless_refusals_total{rule="subset-in-use",mode="observe"} 1')
  t.match(hitless.log(), /"user":"alice".*"rules":\["subset-in-use"\].*"msg":"would be denied"/)
})

t.test('it is listed, with who wrote and why it would be refused', async (t) => {
  await until(async () => (await listed()).length === 1)
  const { exit, out, err } = await run(['audit', ...CLUSTER, '--refusals'])
  t.equal(exit, 1, err)
  t.match(
    out,
    /^1 refusal\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ would be refused: UPDATE of DestinationRule default\/helloworld by alice: 100% of requests .*\[subset-in-use\]\n$/
  )
  t.match(await listed(), [
    {
      user: 'alice',
      operation: 'UPDATE',
      object: { kind: 'DestinationRule', name: 'helloworld' },
      rules: ['subset-in-use'],
      refused: false
    }
  ])
  t.equal((await run(['audit', ...CLUSTER, '--refusals', '-n', 'kube-public'])).exit, 0, 'none of them is in another namespace')
})

t.test('what is tried again and again is one Event, and a dry run is none', async (t) => {
  await merge('bob', { spec: destinationRule(['v1', 'v2'])['spec'] })
  t.equal((await merge('bob', withoutV1, '?dryRun=All')).status, 200)
  for (let times = 0; times < 3; times++) {
    t.equal((await merge('alice', withoutV1)).status, 200)
    await merge('bob', { spec: destinationRule(['v1', 'v2'])['spec'] })
  }
  t.strictSame(
    (await listed()).map(({ user }) => user),
    ['alice']
  )
})

t.test('once the file says enforce, the same write is refused, and listed beside the other', async (t) => {
  configure('enforce')
  await until(async () => {
    if ((await merge('bob', withoutV1)).status === 403) return true
    await merge('bob', { spec: destinationRule(['v1', 'v2'])['spec'] })
    return false
  })
  await until(async () => (await listed()).some(({ user, refused }) => user === 'bob' && refused))
  t.match(await run(['audit', ...CLUSTER, '--refusals']), {
    exit: 1,
    out: / refused: UPDATE of DestinationRule default\/helloworld by bob/
  })
  const times = (await listed()).map(({ time }) => time)
  t.same(times, [...times].sort().reverse(), 'the newest first')
})

t.test('who may not list Events is told so', async (t) => {
  await plane.kubectl(['create', 'serviceaccount', 'stranger', '-n', 'default'])
  const kubeconfig = await plane.kubeconfigFor({ namespace: 'default', name: 'stranger' })
  const { exit, err } = await run(['audit', '--cluster', '--kubeconfig', kubeconfig, '--refusals'])
  t.equal(exit, 3)
  t.match(err, /events is forbidden: .*stranger.* \[HITLESS_UNREACHABLE\]/)
})

async function listed(): Promise<Listed['refusals']> {
  return (JSON.parse((await run(['audit', ...CLUSTER, '--refusals', '-o', 'json'])).out) as Listed).refusals
}

async function apply(manifest: Manifest): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) })
  if (code !== 0) throw new Error(stderr)
}

/** These may write to the mesh. */
async function grant(...users: readonly string[]): Promise<void> {
  for (const args of [
    ['clusterrole', 'mesh-editor', '--verb=*', '--resource=destinationrules.networking.istio.io'],
    ['clusterrolebinding', 'mesh-editor', '--clusterrole=mesh-editor', ...users.map((user) => `--user=${user}`)]
  ]) {
    const { code, stderr } = await plane.kubectl(['create', ...args])
    if (code !== 0) throw new Error(stderr)
  }
}

/** Another process writes Events and follows its file: it can only be asked for again. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(100)
}
