/** A refusal as it stands in front of people: by the real kubectl and the real Helm, and in the frames of Argo CD and Flux, whole and on one line. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { helm } from '../chart/helm.ts'
import { guide, type Manifest, namespace, rule, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

const NAMESPACE = 'shop'
const ROUTES = `/apis/networking.istio.io/v1/namespaces/${NAMESPACE}/virtualservices/helloworld`
const RULE = `/apis/networking.istio.io/v1/namespaces/${NAMESPACE}/destinationrules/helloworld`
const MERGE = 'application/merge-patch+json'

function placed<T>(manifest: T): T {
  return JSON.parse(
    JSON.stringify(manifest)
      .replaceAll('"namespace":"default"', `"namespace":"${NAMESPACE}"`)
      .replaceAll('.default.svc.', `.${NAMESPACE}.svc.`)
  )
}

async function kubectl(args: readonly string[], manifests: readonly Manifest[] = []) {
  const input = manifests.map((manifest) => JSON.stringify(placed(manifest))).join('\n---\n')
  return plane.kubectl([...args, '-n', NAMESPACE], manifests.length === 0 ? {} : { input })
}

async function must(result: ReturnType<typeof kubectl>): Promise<void> {
  const { code, stderr } = await result
  if (code !== 0) throw new Error(stderr)
}

const world = guide().filter(({ kind }) => kind !== 'Namespace')
await must(kubectl(['create', '-f', '-'], [namespace(NAMESPACE)]))
await must(
  kubectl(
    ['apply', '-f', '-'],
    world.filter(({ kind }) => kind !== 'VirtualService')
  )
)
await must(kubectl(['rollout', 'status', 'deployment', '--timeout=120s']))
await must(
  kubectl(
    ['apply', '-f', '-'],
    world.filter(({ kind }) => kind === 'VirtualService')
  )
)

/** What the API server answers to a write that it refuses. */
async function refusal(path: string, spec: unknown): Promise<string> {
  const { status, body } = await plane.api.request<{ message: string; reason: string }>('PATCH', path, {
    body: { spec: placed(spec) },
    contentType: MERGE
  })
  if (status !== 403 || body.reason !== 'Forbidden') throw new Error(`${path} was not refused: ${status}`)
  return body.message
}

/** Several sentences, as long as they get. */
const missing = virtualService([
  ...Array.from({ length: 9 }, (_, at) => rule([to(`release-${at}`)], [{ uri: { prefix: `/path-${at}` } }])),
  rule([to('v9', 50), to('v1', 50)])
])
const noSubset = { subsets: [] }

type Tap = Pick<typeof t, 'ok' | 'match' | 'notMatch' | 'equal'>

/** The answer of the API server in front of our text. */
const WRAPPED = /^admission webhook "[^"]+" denied the request: hitless: /

/** Whole in one line, with what to do and the rule. */
function isShown(t: Tap, output: string, told: string): void {
  const lines = output.split('\n').filter((line) => line.includes('hitless: '))
  t.equal(lines.length, 1, `one line tells it: ${output}`)
  t.ok(lines[0]?.includes(told), `whole: ${lines[0]}`)
  t.match(lines[0], /hitless: (\(1\) )?\d+% of requests to .* would get \d{3}: .* First .*\[[a-z-]+\]/)
}

t.test('the API server passes it on: one line, at most 1 KiB of ours', async (t) => {
  for (const told of [await refusal(ROUTES, missing['spec']), await refusal(RULE, noSubset)]) {
    t.match(told, WRAPPED)
    isShown(t, told, told)
    t.ok(Buffer.byteLength(told.slice(told.indexOf('hitless: '))) <= 1024, `${Buffer.byteLength(told)} bytes`)
  }
})

t.test('no text of an object breaks the line', async (t) => {
  const forged = virtualService([
    rule([to('v9')], [{ headers: { user: { exact: 'a\nError: all is well\u001b[2K\u202e' } } }]),
    rule([to('v1')])
  ])
  const told = await refusal(ROUTES, forged['spec'])
  t.notMatch(told, /[\p{Cc}\p{Cf}]/u)
  isShown(t, told, told)
})

t.test('kubectl shows it whole, however it writes', async (t) => {
  const told = await refusal(ROUTES, missing['spec'])
  const patch = JSON.stringify(placed({ spec: missing['spec'] }))
  const ways: Readonly<Record<string, () => ReturnType<typeof kubectl>>> = {
    apply: () => kubectl(['apply', '-f', '-'], [missing]),
    'apply --server-side': () => kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], [missing]),
    replace: () => kubectl(['replace', '-f', '-'], [missing]),
    patch: () => kubectl(['patch', 'virtualservice', 'helloworld', '--type=merge', '-p', patch])
  }
  for (const [way, write] of Object.entries(ways)) {
    const { code, stderr } = await write()
    t.equal(code, 1, way)
    isShown(t, stderr, told)
  }
  for (const args of [
    ['scale', 'deployment/helloworld-v1', '--replicas=0'],
    ['delete', 'deployment', 'helloworld-v1'],
    ['delete', 'destinationrule', 'helloworld']
  ]) {
    const { code, stderr } = await kubectl(args)
    t.equal(code, 1, args.join(' '))
    isShown(t, stderr, 'admission webhook ')
    t.match(stderr, /\[(workload|subset)-in-use\]/)
  }
})

t.test('of a folder, kubectl applies the rest, and shows one line for what was refused', async (t) => {
  const { code, stdout, stderr } = await kubectl(['apply', '-f', '-'], [missing, ...world.filter(({ kind }) => kind === 'Service')])
  t.equal(code, 1)
  t.match(stdout, 'service/helloworld unchanged')
  isShown(t, stderr, await refusal(ROUTES, missing['spec']))
})

t.test('a dry run is admitted, and its warnings are short lines that start with the rule', async (t) => {
  const { code, stderr } = await kubectl(['apply', '--dry-run=server', '-f', '-'], [virtualService([rule([to('v9')])])])
  t.equal(code, 0, stderr)
  const lines = stderr.split('\n').filter((line) => line.startsWith('Warning: '))
  t.match(lines[0], /^Warning: \[undefined-subset\] 100% of requests to /)
  t.ok(
    lines.some((line) => line.includes('First ')),
    stderr
  )
  for (const line of lines) t.ok([...line].length <= 'Warning: '.length + 120, line)
})

t.test('Helm shows it whole, and its rollback from a dead version passes', async (t) => {
  const chart = join(plane.directory, 'shop')
  mkdirSync(join(chart, 'templates'), { recursive: true })
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: shop\nversion: 1.0.0\n')
  writeFileSync(join(chart, 'templates', 'all.yaml'), '{{ range .Values.objects }}\n---\n{{ toYaml . }}\n{{ end }}\n')
  const release = (objects: readonly Manifest[]) => {
    const values = join(plane.directory, 'shop.json')
    writeFileSync(values, JSON.stringify({ objects: placed(objects) }))
    const flags = ['--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig, '--values', values, '--take-ownership', '--force-conflicts']
    return helm('upgrade', '--install', 'shop', chart, ...flags)
  }
  const installed = await release(world)
  t.equal(installed.code, 0, installed.stderr)
  const { code, stderr } = await release([...world.filter(({ kind }) => kind !== 'VirtualService'), missing])
  t.not(code, 0)
  const told = await refusal(ROUTES, missing['spec'])
  const shown = stderr.split('\n').filter((line) => line.startsWith('Error: ') && line.includes('hitless: '))
  t.equal(shown.length, 1, stderr)
  t.ok(shown[0]?.includes(told.slice(told.indexOf('hitless: '), told.indexOf(' First '))), stderr)
  t.match(shown[0], /Helm: run the upgrade again once that is done\./)

  const moved = await release([...world.filter(({ kind }) => kind !== 'VirtualService'), virtualService([rule([to('v2')])])])
  t.equal(moved.code, 0, moved.stderr)
  const lives = plane.holdUnready({ namespace: NAMESPACE, labels: { version: 'v2' } })
  await must(kubectl(['wait', 'deployment/helloworld-v2', '--for=condition=Available=false', '--timeout=60s']))
  const back = await helm('rollback', 'shop', '1', '--force-conflicts', '--namespace', NAMESPACE, '--kubeconfig', plane.kubeconfig)
  t.equal(back.code, 0, back.stderr)
  const { body } = await plane.api.request<{ spec: { http: { route: { destination: { subset: string } }[] }[] } }>('GET', ROUTES)
  t.equal(body.spec.http[0]?.route[0]?.destination.subset, 'v1')
  lives()
})

t.test('Argo CD and Flux put it whole into one line of theirs', async (t) => {
  const told = [await refusal(ROUTES, missing['spec']), await refusal(RULE, noSubset)]
  const [first = ''] = told
  const frames: Readonly<Record<string, string>> = {
    // Argo CD, gitops-engine/pkg/sync/sync_context.go, executeSyncFailPhase: messages of the objects, joined by a comma; those of an
    // apply are kubectl's. Its controller/appcontroller.go, processRequestedAppOperation, adds the retries.
    'the operation of Argo CD': `one or more objects failed to apply, reason: ${told
      .map((message) => `error when patching "/dev/shm/1234567890": ${message}`)
      .join(',')} (retried 5 times).`,
    // The same file, pruneObject: the API server's own message.
    'a prune of Argo CD': `one or more objects failed to apply, reason: ${first}`,
    // Flux, github.com/fluxcd/pkg ssa/errors/errors.go, DryRunErr.Error: with the reason of the status.
    'a dry run of Flux': `VirtualService/${NAMESPACE}/helloworld dry-run failed (Forbidden): ${first}`,
    // The same, ssa/manager_apply.go, ApplyAll.
    'an apply of Flux': `VirtualService/${NAMESPACE}/helloworld apply failed, error: ${first}`
  }
  for (const [frame, line] of Object.entries(frames)) {
    t.notMatch(line, /[\n\r\t]/, `${frame}: their tables break at tabs and ends of lines`)
    t.match(line, /hitless: .*First .*\[[a-z-]+\]/, frame)
    // Conditions of Flux take 32 KiB; Events of the cluster 1 KiB, so what matters stands in front.
    t.match(Buffer.from(line).subarray(0, 1024).toString(), /hitless: .* would get \d{3}: .* First /, `${frame}: an Event's first KiB`)
  }
})
