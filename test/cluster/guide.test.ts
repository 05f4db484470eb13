/** The guide's release, and each of its mistakes, through real kubectl, a real API server and the real webhook process. */
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { DEBUG, deployment, destinationRule, guide, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const hitless = await startHitless(plane)
t.teardown(() => hitless.stop())

interface Outcome {
  readonly code: number
  readonly text: string
}

async function kubectl(args: string, input?: unknown): Promise<Outcome> {
  const { code, stdout, stderr } = await plane.kubectl(args.split(' '), input === undefined ? {} : { input: JSON.stringify(input) })
  return { code, text: `${stdout}${stderr}` }
}

/** The guide's manifests in a namespace of the test's own: the API server and the caches start empty there. */
function inNamespace(name: string, manifest: Manifest): Manifest {
  const text = JSON.stringify(manifest)
    .replaceAll('"namespace":"default"', `"namespace":"${name}"`)
    .replaceAll('.default.svc.', `.${name}.svc.`)
  return JSON.parse(text) as Manifest
}

class Release {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  apply(manifest: Manifest, flags = ''): Promise<Outcome> {
    return kubectl(`apply ${flags}-f -`, inNamespace(this.name, manifest))
  }

  /** Everything of the guide's world, one object after another, and the Pods Ready. */
  async start(): Promise<void> {
    await must(kubectl('apply -f -', namespace(this.name)))
    const world = guide().filter(({ kind }) => kind !== 'Namespace')
    for (const manifest of world.filter(({ kind }) => kind !== 'VirtualService')) await must(this.apply(manifest))
    await this.rolledOut('v1')
    await this.rolledOut('v2')
    for (const manifest of world.filter(({ kind }) => kind === 'VirtualService')) await must(this.apply(manifest))
  }

  async rolledOut(version: string): Promise<void> {
    await must(kubectl(`rollout status deployment/helloworld-${version} -n ${this.name} --timeout=120s`))
  }
}

async function must(outcome: Promise<Outcome>): Promise<void> {
  const { code, text } = await outcome
  if (code !== 0) throw new Error(text)
}

function admitted(t: Tap, { code, text }: Outcome, what: string): void {
  t.equal(code, 0, `${what}: ${text.trim()}`)
}

function refused(t: Tap, { code, text }: Outcome, ruleId: string, ...says: (string | RegExp)[]): void {
  t.not(code, 0, 'kubectl fails')
  t.match(text, `[${ruleId}]`)
  for (const part of says) t.match(text, part)
}

type Tap = Pick<typeof t, 'equal' | 'not' | 'match'>

const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])

t.test('a denial looks as the README shows it', async (t) => {
  const examples = join(import.meta.dirname, '../../examples/helloworld')
  const apply = (path: string) => kubectl(`apply -f ${join(examples, path)}`)
  for (const file of ['service.yaml', 'deployment-v1.yaml', 'destination-rule.yaml']) await must(apply(`world/${file}`))
  await must(kubectl('rollout status deployment/helloworld-v1 --timeout=120s'))
  await must(apply('world/virtual-service.yaml'))
  const { text } = await apply('release/03-weight-10/virtual-service.yaml')
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const [, shown = ''] = /^ {4}\$ kubectl apply -f virtual-service\.yaml\n((?: {4}.*\n)+)/m.exec(readme) ?? []
  const [first = '', last = ''] = shown
    .replace(/\s+/g, ' ')
    .split(' ... ')
    .map((part) => part.trim())
  t.ok(first !== '' && last !== '', 'the README shows one')
  t.ok(text.startsWith(first), text)
  t.ok(text.trim().endsWith(last), text)
})

t.test('a VirtualService without fallback is refused, and with one admitted', async (t) => {
  const release = new Release('fallback')
  await must(kubectl('apply -f -', namespace('fallback')))
  for (const manifest of [service(), deployment('v1'), destinationRule(['v1'])]) await must(release.apply(manifest))
  await release.rolledOut('v1')
  const outcome = await release.apply(virtualService([rule([to('v1')], DEBUG)]))
  refused(
    t,
    outcome,
    'missing-fallback',
    'helloworld.fallback.svc.cluster.local',
    '404',
    'match none of its routes',
    'add a last http route without match'
  )
  admitted(t, await release.apply(virtualService([rule([to('v1')], DEBUG), rule([to('v1')])])), 'with a fallback')
})

t.test("the guide's misplaced subset gets a warning that says what the API server dropped", async (t) => {
  const release = new Release('misplaced')
  await release.start()
  const misplaced = virtualService([{ route: [{ destination: { host: 'helloworld' }, port: { number: 3000 }, subset: 'v1' }] }])
  const { code, text } = await release.apply(misplaced, '--validate=false ')
  t.equal(code, 0, text)
  t.match(text, /Warning: \[misplaced-field\] the API server drops spec\.http\[0\]\.route\[0\]\.subset/)
})

t.test("the whole release in the guide's order, there and back, is admitted", async (t) => {
  const release = new Release('release')
  await must(kubectl('apply -f -', namespace('release')))
  for (const manifest of [service(), deployment('v1'), destinationRule(['v1'])]) await must(release.apply(manifest))
  await release.rolledOut('v1')
  admitted(t, await release.apply(virtualService([rule([to('v1', 100)])])), 'all requests to v1')
  admitted(t, await release.apply(destinationRule(['v1', 'v2'])), 'subset v2 before its Deployment')
  admitted(t, await release.apply(deployment('v2')), 'Deployment v2')
  await release.rolledOut('v2')
  const steps = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0, 100]
  for (const weight of steps) admitted(t, await release.apply(split(100 - weight, weight)), `${weight}% to v2`)
  admitted(t, await release.apply(virtualService([rule([to('v2')])])), 'v1 out of the VirtualService')
  admitted(t, await release.apply(destinationRule(['v2'])), 'v1 out of the DestinationRule')
  admitted(t, await kubectl('delete deployment helloworld-v1 -n release'), 'Deployment v1 deleted')
})

t.test('each careless step is refused', async (t) => {
  const release = new Release('careless')
  await release.start()
  const unknown = virtualService([rule([to('v1', 50), to('v3', 50)])])
  refused(t, await release.apply(unknown), 'undefined-subset', '50% of requests', 'subset "v3"')
  await must(release.apply(destinationRule(['v1', 'v2', 'v3'])))
  refused(t, await release.apply(unknown), 'unready-destination', 'no Ready Pod')
  await must(release.apply(split(10, 90)))
  refused(t, await release.apply(destinationRule(['v2'])), 'subset-in-use', '10% of requests', 'subset "v1"')
  refused(t, await kubectl('delete destinationrule helloworld -n careless'), 'subset-in-use')
  refused(t, await kubectl('delete deployment helloworld-v1 -n careless'), 'workload-in-use', 'this deletes')
  refused(t, await kubectl('scale deployment helloworld-v1 -n careless --replicas=0'), 'workload-in-use', 'scales to 0')
  const relabelled = { template: { metadata: { labels: { app: 'helloworld', version: 'v1', track: 'x' } } } }
  const patch = JSON.stringify({ spec: relabelled })
  const kept = await plane.kubectl(['patch', 'deployment', 'helloworld-v1', '-n', 'careless', '-p', patch])
  t.equal(kept.code, 0, `a label more takes no Pod away from its subset: ${kept.stderr}`)
  refused(t, await release.apply(service({ selector: { app: 'helloworld', version: 'v1' } })), 'selector-in-use', '90% of requests')
  t.equal(
    (await kubectl('get deployment,service,destinationrule -n careless -o name')).text.trim().split('\n').length,
    4,
    'nothing is gone'
  )
})

t.test('a Deployment whose template leaves its subset is refused', async (t) => {
  const release = new Release('relabelled')
  await release.start()
  // The selector is immutable, so it must not name the version for the template to lose it.
  await must(kubectl('delete deployment helloworld-v2 -n relabelled'))
  const loose = deployment(
    'v2',
    { selector: { matchLabels: { app: 'helloworld', track: 'b' } } },
    { app: 'helloworld', version: 'v2', track: 'b' }
  )
  await must(
    release.apply({ ...loose, spec: { ...(loose['spec'] as object), selector: { matchLabels: { app: 'helloworld', track: 'b' } } } })
  )
  await release.rolledOut('v2')
  await must(release.apply(split(50, 50)))
  const patch = JSON.stringify({ spec: { template: { metadata: { labels: { version: 'v3' } } } } })
  const { code, stdout, stderr } = await plane.kubectl(['patch', 'deployment', 'helloworld-v2', '-n', 'relabelled', '-p', patch])
  refused(t, { code, text: stdout + stderr }, 'workload-in-use', 'this relabels')
})

t.test('writes that look dangerous and are not are admitted', async (t) => {
  const release = new Release('harmless')
  await release.start()
  admitted(t, await release.apply(virtualService([rule([to('v1', 100), to('v9', 0)])])), 'weight 0 to a missing subset')
  await must(release.apply(destinationRule(['v1', 'v2', 'v9'])))
  await must(release.apply(virtualService([rule([to('v1')])])))
  admitted(t, await kubectl('scale deployment helloworld-v2 -n harmless --replicas=0'), 'a version without requests scaled to 0')
})

t.test('what is broken already can be edited and repaired', async (t) => {
  const release = new Release('broken')
  await must(kubectl('apply -f -', namespace('broken')))
  for (const manifest of [service(), destinationRule(['v1'])]) await must(release.apply(manifest))
  const first = await release.apply(virtualService([rule([to('v1')])]))
  admitted(t, first, 'a first install may route to Pods that are not there yet')
  t.match(first.text, /Warning: \[unready-destination\]/)
  admitted(t, await kubectl('label virtualservice helloworld -n broken team=blue'), 'a label on what stays broken')
  await must(release.apply(deployment('v1')))
  await release.rolledOut('v1')
  admitted(t, await release.apply(virtualService([rule([to('v1')]), rule([to('v1')])])), 'an edit of what works again')
})

t.test('a VirtualService that is broken can be labelled, and repaired', async (t) => {
  const release = new Release('repair')
  await release.start()
  await must(kubectl('label namespace repair hitless.io/mode=off'))
  const broken = virtualService([rule([to('v9')], DEBUG)])
  admitted(t, await release.apply(broken), 'a namespace may turn hitless off')
  await must(kubectl('label namespace repair hitless.io/mode-'))
  admitted(t, await kubectl('label virtualservice helloworld -n repair team=blue'), 'a label on what stays broken')
  admitted(t, await release.apply(virtualService([rule([to('v1')])])), 'the repair')
})

t.test('a dry run leaves no trace', async (t) => {
  const release = new Release('dry')
  await release.start()
  admitted(t, await release.apply(destinationRule(['v1', 'v2', 'v3']), '--dry-run=server '), 'subset v3, only tried')
  const outcome = await release.apply(virtualService([rule([to('v1', 90), to('v3', 10)])]))
  refused(t, outcome, 'undefined-subset', 'subset "v3"')
  const dry = await release.apply(virtualService([rule([to('v1', 90), to('v3', 10)])]), '--dry-run=server ')
  t.equal(dry.code, 0, 'a dry run of what depends on other objects only warns')
  t.match(dry.text, /Warning: \[undefined-subset\]/)
})

t.test("a folder with the guide's next step is admitted in one go, held until the mesh has settled", async (t) => {
  const release = new Release('folder')
  await release.start()
  const canary = destinationRule(['v1', 'v2'], {
    subsets: ['v1', 'canary'].map((name) => ({ name, labels: { version: name === 'v1' ? 'v1' : 'v2' } }))
  })
  const items = [canary, virtualService([rule([to('v1', 90), to('canary', 10)])])].map((manifest) => inNamespace('folder', manifest))
  const before = await held()
  admitted(t, await kubectl('apply -f -', { apiVersion: 'v1', kind: 'List', items }), 'kubectl apply of both')
  const after = await held()
  t.equal(after.count - before.count, 1, 'one write was held')
  // A second, and what a busy machine adds: the deadline would be at four.
  t.ok(after.seconds - before.seconds < 3, 'no longer than it takes to settle')
})

/** How many writes were held, and for how long in all. */
async function held(): Promise<{ count: number; seconds: number }> {
  return { count: await hitless.metric('hitless_held_seconds_count'), seconds: await hitless.metric('hitless_held_seconds_sum') }
}

t.test('bad input gets a 4xx, and the next review is answered', async (t) => {
  const { port, ca } = hitless
  const send = (body: string | null, headers: Record<string, string>, method = 'POST', path = '/validate') =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const request = https.request({ host: '127.0.0.1', port, ca, path, method, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      })
      request.on('error', reject)
      // A body that is refused for its length is not read: who goes on writing it may never see the answer.
      if (headers['content-length'] === undefined) request.end(body ?? undefined)
      else request.flushHeaders()
    })
  const json = { 'content-type': 'application/json' }
  const cases: [string, number, string, ReturnType<typeof send>][] = [
    ['no body', 400, 'HITLESS_EMPTY_BODY', send(null, json)],
    ['another content type', 415, 'HITLESS_CONTENT_TYPE', send('x', { 'content-type': 'text/plain' })],
    ['another kind', 400, 'HITLESS_BAD_REVIEW', send('{"apiVersion":"v1","kind":"Pod"}', json)],
    ['truncated JSON', 400, 'HITLESS_BAD_JSON', send('{"apiVersion":"admission', json)],
    ['10 MB', 413, 'HITLESS_TOO_LARGE', send(null, { ...json, 'content-length': '10000000' })],
    ['another path', 404, 'HITLESS_NOT_FOUND', send('{}', json, 'POST', '/mutate')]
  ]
  for (const [what, status, code, answer] of cases) {
    const { status: found, body } = await answer
    t.equal(found, status, what)
    t.match(body, code, what)
  }
  t.ok(hitless.running())
  admitted(t, await new Release('default').apply(service()), 'the next review')
})

t.test('a namespace goes with everything in it', async (t) => {
  const release = new Release('teardown')
  await release.start()
  admitted(t, await kubectl('delete namespace teardown --timeout=120s'), 'kubectl delete namespace')
  t.match((await kubectl('get namespace teardown')).text, /not found/)
})
