/** Releases by the real Helm: what it shows of a refusal, what it applies all the same, and that the same command ends it the next time. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type HelmResult, helm } from '../chart/helm.ts'
import { deployment, destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

/** A chart of whatever objects its values list: Helm sorts them by kind, as it does those of any chart. */
const chart = join(plane.directory, 'app')
mkdirSync(join(chart, 'templates'), { recursive: true })
writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: app\nversion: 1.0.0\n')
writeFileSync(join(chart, 'templates', 'objects.yaml'), '{{ range .Values.objects }}\n---\n{{ toYaml . }}\n{{ end }}\n')

class Release {
  readonly #namespace: string

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  run(command: 'install' | 'upgrade', objects: readonly Manifest[], ...flags: readonly string[]): Promise<HelmResult> {
    const values = join(plane.directory, `${this.#namespace}.json`)
    const text = JSON.stringify({ objects })
      .replaceAll('"namespace":"default"', `"namespace":"${this.#namespace}"`)
      .replaceAll('.default.svc.', `.${this.#namespace}.svc.`)
    writeFileSync(values, text)
    const created = command === 'install' ? ['--create-namespace'] : []
    return this.helm(command, 'app', chart, '--values', values, ...created, ...flags)
  }

  helm(...args: readonly string[]): Promise<HelmResult> {
    return helm(...args, '--namespace', this.#namespace, '--kubeconfig', plane.kubeconfig)
  }

  async rolledOut(version: string): Promise<void> {
    const status = ['rollout', 'status', `deployment/helloworld-${version}`, '-n', this.#namespace, '--timeout=60s']
    const { code, stderr } = await plane.kubectl(status)
    if (code !== 0) throw new Error(stderr)
  }

  async weights(): Promise<Record<string, number>> {
    const path = `/apis/networking.istio.io/v1/namespaces/${this.#namespace}/virtualservices/helloworld`
    const { body } = await plane.api.request<{ spec: { http: { route: { destination: { subset: string }; weight?: number }[] }[] } }>(
      'GET',
      path
    )
    return Object.fromEntries(
      body.spec.http.flatMap(({ route }) => route.map(({ destination, weight = 100 }) => [destination.subset, weight]))
    )
  }

  async exists(version: string): Promise<boolean> {
    return (await plane.api.request('GET', `/apis/apps/v1/namespaces/${this.#namespace}/deployments/helloworld-${version}`)).status === 200
  }
}

const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])
const first = [service(), deployment('v1'), destinationRule(['v1']), virtualService([rule([to('v1')])])]
const both = [service(), deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])]
const last = [service(), deployment('v2'), destinationRule(['v2']), virtualService([rule([to('v2')])])]

/** The line of what Helm printed that tells the refusal, whole. It logs the same once more, quoted. */
function refusal({ code, stderr }: HelmResult): string {
  if (code === 0) return ''
  return stderr.split('\n').find((line) => line.startsWith('Error: UPGRADE FAILED') && line.includes('denied the request: hitless: ')) ?? ''
}

t.test('install, release and clean-up in as many commands as it takes', async (t) => {
  const release = new Release('helm-release')
  const installed = await release.run('install', first)
  t.equal(installed.code, 0, `nothing was served before, so Pods need not be Ready: ${installed.stderr}`)
  await release.rolledOut('v1')

  const held = plane.holdUnready({ namespace: 'helm-release', labels: { version: 'v2' } })
  const tooEarly = refusal(await release.run('upgrade', [...both, split(90, 10)]))
  t.match(tooEarly, /10% of requests .* First wait until a Pod of subset "v2".*\[unready-destination\]/)
  t.match(tooEarly, /Helm: .*run the upgrade again/i)
  t.same(await release.weights(), { v1: 100 })
  held()
  await release.rolledOut('v2')
  t.equal((await release.run('upgrade', [...both, split(90, 10)])).code, 0, 'the same command passes once v2 is Ready')
  t.same(await release.weights(), { v1: 90, v2: 10 })

  t.match(refusal(await release.run('upgrade', last)), '[subset-in-use]')
  t.same(await release.weights(), { v2: 100 }, 'Helm goes on with what comes after')
  t.ok(await release.exists('v1'), 'and deletes nothing')
  const again = await release.run('upgrade', last)
  t.equal(again.code, 0, again.stderr)
  t.notOk(await release.exists('v1'), 'the second run does')

  const uninstalled = await release.helm('uninstall', 'app')
  t.equal(uninstalled.code, 0, uninstalled.stderr)
})

t.test('an upgrade that rolls back on failure leaves everything as it was', async (t) => {
  const release = new Release('helm-atomic')
  t.equal((await release.run('install', [...both, split(100, 0)])).code, 0)
  await release.rolledOut('v1')
  await release.rolledOut('v2')
  const { code, stderr } = await release.run('upgrade', last, '--rollback-on-failure', '--timeout', '60s')
  t.not(code, 0)
  t.match(stderr, '[subset-in-use]')
  t.notMatch(stderr, /rollback .*failed/i)
  t.same(await release.weights(), { v1: 100, v2: 0 })
  t.ok(await release.exists('v1'))
})
