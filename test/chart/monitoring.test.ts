/** Alerts and dashboard name metrics that the real process has, and every alert says what to do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import t from 'tap'
import { WORLD } from '../cli/commands.ts'
import { CHART, helm, rendered } from './helm.ts'

// Go builds Helm where no other run has.
t.setTimeout(900_000)

const ROOT = join(import.meta.dirname, '../..')
const ON = ['--set', 'prometheusRule.enabled=true,serviceMonitor.enabled=true,dashboard.enabled=true,webhook.timeoutSeconds=7']

interface Alert {
  readonly alert: string
  readonly expr: string
  readonly annotations: Readonly<Record<string, string>>
}

interface Dashboard {
  readonly panels: readonly { readonly id: number; readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}

const objects = await rendered(...ON)
const { spec } = objects.find(({ kind }) => kind === 'PrometheusRule') as unknown as { spec: { groups: { rules: Alert[] }[] } }
const alerts = spec.groups.flatMap(({ rules }) => rules)
const config = objects.find(({ metadata }) => metadata.name === 'hitless-dashboard') as unknown as { data: Record<string, string> }
const { panels } = JSON.parse(config.data['hitless.json'] ?? '') as Dashboard
const page = await metricsPage()

t.test('every metric of the alerts and of the dashboard is one that the process has', async (t) => {
  const expressions = [...alerts.map(({ expr }) => expr), ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))]
  t.ok(expressions.length > 20)
  for (const expression of expressions) {
    const names = [...expression.matchAll(/\b(?:hitless|process)_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
    t.ok(names.length > 0, expression)
    for (const name of names) t.match(page, new RegExp(`^# TYPE ${name} `, 'm'), expression)
    t.equal(expression.split('(').length, expression.split(')').length, expression)
  }
})

t.test('what is said of an alert stands in the table of docs/operations.md, which has no other', async (t) => {
  const table = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8').matchAll(/^\| `(Hitless\w+)`/gm)
  t.strictSame(
    [...table].map(([, name]) => name),
    alerts.map(({ alert }) => alert)
  )
  for (const { alert, annotations } of alerts) t.match(annotations, { summary: /.{10}/, runbook: new RegExp(alert) })
})

t.test('the alert about slow answers knows the time that the API server gives', async (t) => {
  t.match(alerts.find(({ alert }) => alert === 'HitlessSlow')?.expr, /> 7 \/ 2$/)
  for (const { expr } of alerts) t.notMatch(expr, 'TIMEOUT_SECONDS')
})

t.test('what the table of metrics in docs/operations.md names, the process has', async (t) => {
  const [, table = ''] = /\n\| Metric([\s\S]*?)\n\n/.exec(readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')) ?? []
  const names = [...table.matchAll(/`(hitless_[a-z_]+)`/g)].map(([, name = '']) => name)
  t.ok(names.length > 10)
  for (const name of names) t.match(page, new RegExp(`^# TYPE ${name} `, 'm'), name)
})

t.test('what the queries of docs/first-week.md name, the process has', async (t) => {
  const queries = [...readFileSync(join(ROOT, 'docs/first-week.md'), 'utf8').matchAll(/```promql\n([\s\S]*?)```|`(sum\([^`]*)`/g)]
  t.ok(queries.length > 2)
  for (const [, block, inline] of queries) {
    const query = block ?? inline ?? ''
    t.equal(query.split('(').length, query.split(')').length, query)
    for (const [name] of query.matchAll(/hitless_[a-z_]+/g)) t.match(page, new RegExp(`^# TYPE ${name} `, 'm'), query)
  }
})

t.test('the panels of the dashboard are told apart and do not stand on one another', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  t.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
  const taken = (panels as unknown as { gridPos: { x: number; y: number; w: number; h: number } }[]).flatMap(
    ({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`)
  )
  t.equal(new Set(taken).size, taken.length)
})

t.test('with every option, helm lint --strict has nothing to say', async (t) => {
  const { code, stdout } = await helm(
    'lint',
    '--strict',
    CHART,
    ...ON,
    '--set',
    'autoscaling.enabled=true,networkPolicy.apiServer={10.0.0.1/32}'
  )
  t.equal(code, 0, stdout)
})

t.test('what Artifact Hub reads of the chart is as it asks', async (t) => {
  const { annotations } = load(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { annotations: Record<string, string> }
  const changes = load(annotations['artifacthub.io/changes'] ?? '') as { kind: string; description: string }[]
  for (const { kind, description } of changes) {
    t.ok(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security'].includes(kind), kind)
    t.ok(description)
  }
  for (const value of Object.values(annotations)) t.type(value, 'string')
})

/** /metrics of the real process. */
async function metricsPage(): Promise<string> {
  const args = ['serve', '--sandbox', WORLD, '--host=127.0.0.1', '--port=0', '--health-host=127.0.0.1', '--health-port=0', '--drain=0']
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const [, port] = /:(\d+)\s*$/.exec(String(line)) ?? []
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  child.kill()
  await once(child, 'exit')
  return text
}
