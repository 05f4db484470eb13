/** `hitless plan --cluster --apply` and `hitless replay --cluster`, as somebody at the desk would use them, on a real API server. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hitless, type Surroundings } from '../cli/commands.ts'
import { deployment, destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())

const OLD = [service(), deployment('v1'), destinationRule(['v1']), virtualService([rule([to('v1')])])]
const NEW = [service(), deployment('v2'), destinationRule(['v2']), virtualService([rule([to('v2')])])]
const BACK = [service(), deployment('v1'), destinationRule(['v1']), virtualService([rule([to('v1')])])]
const FROM = file('old', ...OLD)

/** A file with these manifests. */
function file(name: string, ...manifests: readonly Manifest[]): string {
  const path = join(plane.directory, `${name}.yaml`)
  writeFileSync(path, manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n'))
  return path
}

async function kubectl(args: readonly string[], manifests: readonly Manifest[] = []): Promise<string> {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
  const { code, stdout, stderr } = await plane.kubectl(args, manifests.length === 0 ? {} : { input })
  if (code !== 0) throw new Error(stderr)
  return stdout
}

function plan(former: string, target: string, args: readonly string[], surroundings: Surroundings = {}, kubeconfig = plane.kubeconfig) {
  return hitless(['plan', '--cluster', '--kubeconfig', kubeconfig, '--from', former, '--to', target, ...args], surroundings)
}

async function weights(): Promise<string> {
  return kubectl([
    'get',
    'virtualservice',
    'helloworld',
    '-o',
    'jsonpath={range .spec.http[0].route[*]}{.destination.subset}={.weight} {end}'
  ])
}

async function names(): Promise<string[]> {
  return (await kubectl(['get', 'deployments', '-o', 'name'])).trim().split('\n')
}

await kubectl(['apply', '-f', '-'], OLD)
await kubectl(['rollout', 'status', 'deployment', '--timeout=120s'])
const to2 = file('new', ...NEW)

t.test('what the cluster holds is the state from, and what nobody named stays', async (t) => {
  await kubectl(['apply', '-f', '-'], [deployment('other')])
  const { exit, out, err } = await plan(FROM, to2, [])
  t.equal(exit, 0, err)
  t.match(
    out,
    /^5 writes in 3 steps\.\n1\. apply Deployment default\/helloworld-v2\n {3}apply DestinationRule default\/helloworld, with the subsets of both states\n/
  )
  t.match(out, '\n   delete Deployment default/helloworld-v1\n')
  t.notMatch(out, 'helloworld-other')
  const alone = await hitless(['plan', '--cluster', '--kubeconfig', plane.kubeconfig, '--to', to2])
  t.notMatch(alone.out, 'delete', 'without --from nothing is known to be deleted')
  t.match(await plan(FROM, FROM, []), { exit: 0, out: 'Nothing is to be written: the two states are the same.\n' })
})

t.test('a dry run asks about every write and makes none', async (t) => {
  const { exit, out, err } = await plan(FROM, to2, ['--step', '50', '--apply', '--dry-run'])
  t.equal(exit, 0, err)
  t.match(out, '6 writes in 4 steps.')
  t.match(out, /The API server would accept 6 writes; none was made\.\n$/)
  t.strictSame(await names(), ['deployment.apps/helloworld-other', 'deployment.apps/helloworld-v1'])
})

t.test('who may not write is told before anything is written', async (t) => {
  await kubectl(['create', 'serviceaccount', 'reader'])
  await kubectl(['create', 'clusterrole', 'reader', '--verb=get,list,watch', '--resource=*.*'])
  await kubectl(['create', 'clusterrolebinding', 'reader', '--clusterrole=reader', '--serviceaccount=default:reader'])
  const { exit, err } = await plan(FROM, to2, ['--apply'], {}, await plane.kubeconfigFor({ namespace: 'default', name: 'reader' }))
  t.equal(exit, 1)
  t.match(
    err,
    /^stopped after 0 of 5 writes: .*reader" cannot create resource "deployments" .*\. Mend that, then run this again: it goes on from what is there\.\n$/
  )
  t.strictSame(await names(), ['deployment.apps/helloworld-other', 'deployment.apps/helloworld-v1'])
})

t.test('Pods that do not become Ready stop it, and it goes on where it stopped', async (t) => {
  const release = plane.holdUnready({ namespace: 'default', labels: { version: 'v2' } })
  const stopped = await plan(FROM, to2, ['--apply', '--timeout', '2'])
  t.equal(stopped.exit, 1)
  t.match(
    stopped.out,
    /\[1\/5\] apply Deployment default\/helloworld-v2: written\n\[2\/5\] apply DestinationRule .*: written\n {6}Deployment default\/helloworld-v2: 0 of 2 Pods Ready\n$/
  )
  t.match(
    stopped.err,
    /stopped after 2 of 5 writes: Deployment default\/helloworld-v2: 0 of 2 Pods Ready after 2\.\d s\. See kubectl describe deployment -n default helloworld-v2; when its Pods are Ready, run this again\.\n$/
  )
  t.equal(await weights(), 'v1= ', 'no request was moved')
  const again = await plan(FROM, to2, [])
  t.match(
    again.out,
    /^3 writes in 3 steps\.\n1\. wait until Ready: Deployment default\/helloworld-v2\n2\. apply VirtualService default\/helloworld\n/
  )
  const resumed = plan(FROM, to2, ['--step', '50', '--apply'], { onOut: (text) => text.includes('0 of 2 Pods Ready') && release() })
  const { exit, out, err } = await resumed
  t.equal(exit, 0, `${out}${err}`)
  t.match(out, /Ready after \d\.\d s\n\[1\/4\] apply VirtualService default\/helloworld, with 50% of the requests moved: written/)
  t.match(out, /\nDone: 4 writes\.\n$/)
  t.equal(await weights(), 'v2= ')
  t.strictSame(await names(), ['deployment.apps/helloworld-other', 'deployment.apps/helloworld-v2'])
  t.match(await plan(FROM, to2, ['--apply']), { exit: 0, out: 'Nothing is to be written: the two states are the same.\n' })
})

t.test('all of it in one run: written one by one, Pods waited for, and what leans on a change held', async (t) => {
  const began = Date.now()
  const { exit, out, err } = await plan(to2, file('back', ...BACK), ['--apply'])
  t.equal(exit, 0, `${out}${err}`)
  t.match(
    out,
    /\[2\/5\] .*\n(?: {6}Deployment default\/helloworld-v1: .*\n)* {6}Deployment default\/helloworld-v1: Ready after \d+\.\d s\n\[3\/5\] /
  )
  t.match(out, /\[3\/5\] apply VirtualService default\/helloworld: written, held \d\.\d s until the proxies had what it leans on\n/)
  t.match(err, /^istiod cannot be asked \(.*\): what a write leans on is given 1 s to reach the proxies\n$/)
  t.ok(Date.now() - began > 2000, 'twice a second: before the requests move, and before v2 goes')
  t.strictSame(await names(), ['deployment.apps/helloworld-other', 'deployment.apps/helloworld-v1'])
})

t.test('what somebody else changes meanwhile is not overwritten', async (t) => {
  const release = plane.holdUnready({ namespace: 'default', labels: { version: 'v2' } })
  let changed: Promise<string> | null = null
  const onOut = (text: string) => {
    if (changed !== null || !text.includes('0 of 2 Pods Ready')) return
    const spec = { spec: { http: [{ timeout: '5s', route: [{ destination: { host: 'helloworld', subset: 'v1' } }] }] } }
    changed = kubectl(['patch', 'virtualservice', 'helloworld', '--type=merge', '-p', JSON.stringify(spec)]).finally(release)
  }
  const { exit, err } = await plan(FROM, to2, ['--apply'], { onOut })
  await changed
  t.equal(exit, 1)
  t.match(
    err,
    /stopped after 2 of 5 writes: somebody else has changed VirtualService default\/helloworld since this was planned\. Run this again: it plans anew/
  )
  t.equal(await weights(), 'v1= ')
})

t.test('replicas, labels and what the server filled in are left alone', async (t) => {
  await kubectl(['scale', 'deployment', 'helloworld-v2', '--replicas=3'])
  await kubectl(['label', 'deployment', 'helloworld-v2', 'team=shop'])
  await kubectl(['rollout', 'status', 'deployment', 'helloworld-v2', '--timeout=60s'])
  const { replicas: _, ...spec } = deployment('v2')['spec'] as { replicas: number }
  const image = {
    template: {
      metadata: { labels: { app: 'helloworld', version: 'v2' } },
      spec: { containers: [{ name: 'app', image: 'example/other' }] }
    }
  }
  const target = file('image', { ...deployment('v2'), spec: { ...spec, ...image } })
  const { exit, out, err } = await hitless(['plan', '--cluster', '--kubeconfig', plane.kubeconfig, '--to', target, '--apply'])
  t.equal(exit, 0, `${out}${err}`)
  t.match(out, '[1/1] apply Deployment default/helloworld-v2: written')
  const shown = await kubectl(['get', 'deployment', 'helloworld-v2', '-o', 'jsonpath={.spec.replicas} {.metadata.labels.team} {..image}'])
  t.equal(shown, '3 shop example/other')
})

/** A file with one scenario, of which the state that it names is not looked at. */
function scenario(name: string, writes: readonly object[]): string {
  const path = join(plane.directory, `${name}.yaml`)
  writeFileSync(path, JSON.stringify({ name, state: ['nowhere.yaml'], writes }))
  return path
}

const replay = (file: string, ...args: string[]) => hitless(['replay', file, '--cluster', '--kubeconfig', plane.kubeconfig, ...args])

t.test('replay makes the writes of a scenario, waits for Pods, and writes nothing that is refused', async (t) => {
  const named = { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', namespace: 'default', name: 'helloworld' }
  const release = scenario('a release on a cluster', [
    { apply: destinationRule(['v1', 'v3']), expect: 'allow' },
    { apply: deployment('v3'), expect: 'allow' },
    { ready: { namespace: 'default', name: 'helloworld-v3' } },
    { apply: virtualService([rule([to('v1', 50), to('v3', 50)])]), expect: 'allow' },
    { delete: named, expect: 'deny', rules: ['subset-in-use'] },
    { scale: { namespace: 'default', name: 'helloworld-v3', replicas: 3 }, expect: 'allow' }
  ])
  const { exit, out, err } = await replay(release)
  t.equal(exit, 0, `${out}${err}`)
  t.match(out, '5 writes in 1 scenario, 0 not as expected')
  t.equal(await weights(), 'v1=50 v3=50 ')
  t.match(await kubectl(['get', 'destinationrule', 'helloworld', '-o', 'name']), 'destinationrule')
  t.equal(await kubectl(['get', 'deployment', 'helloworld-v3', '-o', 'jsonpath={.spec.replicas}']), '3')
})

t.test('it stops where a write goes otherwise than the scenario says', async (t) => {
  const wrong = scenario('too early', [
    { apply: virtualService([rule([to('v1', 50), to('v9', 50)])]), expect: 'allow' },
    { apply: virtualService([rule([to('v1')])]), expect: 'allow' }
  ])
  const { exit, out } = await replay(wrong)
  t.equal(exit, 1, out)
  t.match(
    out,
    /deny {2}UPDATE VirtualService default\/helloworld\n[\s\S]*expected allow, got deny \(undefined-subset\)\n1 write in 1 scenario, 1 not as expected/
  )
  t.equal(await weights(), 'v1=50 v3=50 ', 'neither the refused one nor the one after it was made')
  const foreign = await replay(scenario('foreign', [{ set: deployment('v1') }, { apply: virtualService([rule([to('v1')])]) }]))
  t.match(foreign, { exit: 2, err: /set Deployment default\/helloworld-v1: a real cluster is changed by its own controllers/ })
  const dry = await replay(scenario('dry', [{ apply: virtualService([rule([to('v1')])]), dryRun: true, expect: 'allow' }]))
  t.equal(dry.exit, 0, dry.out)
  t.equal(await weights(), 'v1=50 v3=50 ')
})
