/** The commands that look at a live cluster: `routes`, `audit` and `check` with `--cluster`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { hitless } from '../cli/commands.ts'
import { destinationRule, guide, HOST, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const CLUSTER = ['--cluster', '--kubeconfig', plane.kubeconfig]

async function kubectl(args: readonly string[], manifests: readonly Manifest[] = []): Promise<void> {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
  const { code, stderr } = await plane.kubectl(args, manifests.length === 0 ? {} : { input })
  if (code !== 0) throw new Error(stderr)
}

/** A file with these manifests. */
function file(name: string, ...manifests: readonly Manifest[]): string {
  const path = join(plane.directory, `${name}.yaml`)
  writeFileSync(path, manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n'))
  return path
}

await kubectl(['apply', '-f', '-'], guide())
await kubectl(['rollout', 'status', 'deployment', '--timeout=120s'])

t.test('routes shows what Istio would send, with the Pods behind it', async (t) => {
  const { exit, out, err } = await hitless(['routes', ...CLUSTER, '--client', 'default', '--host', HOST, '-o', 'json'])
  t.equal(exit, 0, err)
  const { contexts } = JSON.parse(out) as { contexts: { hosts: { host: string; routes: { destinations: unknown[] }[] }[] }[] }
  t.equal(contexts[0]?.hosts[0]?.host, HOST)
  t.match(contexts[0]?.hosts[0]?.routes[0]?.destinations, [{ subset: 'v1', share: 1, defined: true, ready: 2 }])
})

t.test('check takes the cluster for what is there, its Pods too', async (t) => {
  const undefinedSubset = file('undefined', virtualService([rule([to('v1', 50), to('v3', 50)])]))
  const refused = await hitless(['check', ...CLUSTER, undefinedSubset])
  t.equal(refused.exit, 1, refused.err)
  t.match(refused.out, /undefined\.yaml:1:\d+: deny \[undefined-subset\] 50% of requests to /)
  const shift = file('shift', virtualService([rule([to('v2')])]))
  const admitted = await hitless(['check', ...CLUSTER, shift])
  t.equal(admitted.exit, 0, `${admitted.out}${admitted.err}`)
  t.equal(admitted.out, '1 write: 0 would be denied, 0 with warnings\n')
})

t.test('the report of a change to the cluster has a plan from what it holds', async (t) => {
  const change = file('change', destinationRule(['v2']), virtualService([rule([to('v2')])]))
  const { exit, out, err } = await hitless(['check', ...CLUSTER, change, '-o', 'markdown'])
  t.equal(exit, 1, err)
  t.match(out, /^### hitless: 1 of 2 writes would be denied\n/)
  t.match(out, '| moved | `helloworld.default.svc.cluster.local:3000` |')
  t.match(
    out,
    /```text\n2 writes in 2 steps\.\n1\. apply VirtualService default\/helloworld\n2\. apply DestinationRule default\/helloworld\n/
  )
})

t.test('look shows the cluster, follows what changes, and tells a gap when it opens', async (t) => {
  const stop = new AbortController()
  const started = Promise.withResolvers<string>()
  const ended = hitless(['look', ...CLUSTER], { signal: stop.signal, onOut: started.resolve })
  const [url = ''] = /http:\S+/.exec(await started.promise) ?? []
  const until = async (wanted: RegExp) => {
    for (let text = ''; ; await sleep(200)) {
      text = await (await fetch(url)).text()
      if (wanted.test(text)) return text
    }
  }
  t.match(await until(/No gap is open/), /<b>helloworld<\/b>.*<b>v1<\/b> <span class="num">100%<\/span> <span class="dim">2 Ready/s)
  await kubectl(['apply', '-f', file('split', virtualService([rule([to('v1', 50), to('v3', 50)])]))])
  const broken = await until(/1 gap open/)
  t.match(broken, /Refused lately.*Nothing\./s)
  t.match(broken, /<b>v3<\/b> <span class="num">50%<\/span> <span class="bad">no such subset/)
  await kubectl(['apply', '-f', '-'], guide())
  await until(/No gap is open/)
  stop.abort()
  t.equal((await ended).exit, 0)
})

t.test('audit tells what is broken in it', async (t) => {
  const whole = await hitless(['audit', ...CLUSTER])
  t.same(whole, { exit: 0, out: '0 gaps, 0 findings\n', err: '' })
  await kubectl(['delete', 'destinationrule', 'helloworld'])
  const broken = await hitless(['audit', ...CLUSTER])
  t.equal(broken.exit, 1)
  t.match(broken.out, /gap {2}100% of requests to helloworld\..* get 503: VirtualService default\/helloworld .*\[undefined-subset\]/)
})

t.test('who may not read is told what', async (t) => {
  await kubectl(['create', 'serviceaccount', 'stranger', '-n', 'default'])
  const kubeconfig = await plane.kubeconfigFor({ namespace: 'default', name: 'stranger' })
  const { exit, out, err } = await hitless(['audit', '--cluster', '--kubeconfig', kubeconfig])
  t.equal(exit, 3)
  t.equal(out, '')
  t.match(err, /^hitless: the cluster cannot be read: \w+: .*stranger.* cannot (list|watch) resource .* \[HITLESS_UNREACHABLE\]\n$/)
})
