/** The report of a change, through `check -o markdown` and `-o json`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { markdown } from '../../src/output/markdown.ts'
import { hitless, step, WORLD } from '../cli/commands.ts'
import { deployment, destinationRule, gateway, rule, to, virtualService } from '../manifests.ts'

const HOST = 'helloworld.default.svc.cluster.local:3000'
const CHECK = ['check', '--base', WORLD]

t.test('a change that moves requests is a table of one row', async (t) => {
  const { exit, out } = await hitless([...CHECK, step('01-subset-v2'), step('02-deployment-v2'), step('03-weight-10'), '-o', 'markdown'])
  t.equal(exit, 0)
  t.equal(
    out,
    `### hitless: nothing would be denied

| | host | from | for example | before | after |
| --- | --- | --- | --- | --- | --- |
| moved | \`${HOST}\` | \`mesh default\` | \`GET /\` | \`100% v1\` | \`90% v1, 10% v2\` |

<sub>3 writes, 0 with warnings</sub>
`
  )
})

t.test('what is lost comes first, with the refusal, and what is gained last', async (t) => {
  const early = await hitless([...CHECK, step('03-weight-10'), '-o', 'markdown'])
  t.equal(early.exit, 1)
  t.match(
    early.out,
    /^### hitless: 1 of 1 write would be denied\n\n- `.*virtual-service\.yaml:21` \*\*undefined-subset\*\*: 10% of requests/
  )
  t.match(early.out, `| **lost** | \`${HOST}\` | \`mesh default\` | \`GET /\` | \`100% v1\` | \`90% v1, 10% v2, 10% get 503\` |`)
  const debug = [{ headers: { 'x-debug': { exact: 'on' } }, uri: { prefix: '/api' } }]
  const stdin = JSON.stringify(virtualService([rule([to('v9')], debug), rule([to('v1')])]))
  t.match(
    (await hitless([...CHECK, '-', '-o', 'markdown'], { stdin })).out,
    '| `GET /api, x-debug: on` | `100% v1` | `100% v9, 100% get 503` |'
  )
})

t.test('where the change cannot be made in one go, a safe order is folded below', async (t) => {
  const { out } = await hitless([...CHECK, step('14-drop-subset-v1'), step('02-deployment-v2'), step('13-only-v2'), '-o', 'markdown'])
  t.match(out, /<details><summary>An order in which it can be made<\/summary>\n\n```text\n4 writes in 3 steps\.\n1\. apply /)
})

t.test('where there is no such order it says what is in the way', async (t) => {
  const relabelled = {
    ...deployment('v1'),
    spec: { ...(deployment('v1')['spec'] as object), template: { metadata: { labels: { app: 'x' } } } }
  }
  const { out } = await hitless([...CHECK, '-', '-o', 'markdown'], { stdin: JSON.stringify(relabelled) })
  t.match(
    out,
    /<summary>No order in which it can be made: what is in the way<\/summary>\n\n```text\nThere is no safe sequence.*\n.*\n {4}What to change in the state to: keep this workload/
  )
})

t.test('the report of a usual pull request has twenty lines, details folded', async (t) => {
  const { out } = await hitless([...CHECK, step('03-weight-10'), step('14-drop-subset-v1'), '-o', 'markdown'])
  const shown = out
    .replace(/<details>[\s\S]*?<\/details>/g, '<details/>')
    .trimEnd()
    .split('\n')
  t.ok(shown.length <= 20, `${shown.length} lines`)
  t.match(out, '### hitless: 2 of 2 writes would be denied')
})

t.test('however much there is, it fits into a comment', (t) => {
  const long = 'x'.repeat(2000)
  const finding = (severity: 'warn' | 'deny') => ({ rule: 'missing-fallback', severity, text: long, object: long, place: null })
  const findings = Array.from({ length: 500 }, (_, at) => finding(at % 2 === 0 ? 'warn' : 'deny'))
  const report = { writes: 500, denied: 250, warned: 250, findings, unknown: [long], plan: null, shifts: [], notCompared: [] }
  const out = markdown(report)
  t.ok(out.length < 65_000, `${out.length} characters`)
  t.match(out, 'More is not shown here')
  t.match(out, '### hitless: 250 of 500 writes would be denied')
  t.equal(out.match(/<details>/g)?.length, out.match(/<\/details>/g)?.length)
  t.end()
})

t.test('what a gateway no longer listens for is lost', async (t) => {
  const edge = (labels: Record<string, string>) => ({
    ...deployment('edge', { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [] } } }),
    metadata: { name: 'edge', namespace: 'default' }
  })
  const shop = virtualService([rule([to('v1')])], { hosts: ['shop.example'], gateways: ['gateway'] }, { name: 'shop' })
  const folder = t.testdir()
  const base = join(folder, 'edge.yaml')
  writeFileSync(base, [edge({ istio: 'ingressgateway' }), gateway(), shop].map((manifest) => JSON.stringify(manifest)).join('\n---\n'))
  const stdin = JSON.stringify(edge({ istio: 'other' }))
  const { out } = await hitless([...CHECK, '--base', base, '-', '-o', 'markdown'], { stdin })
  t.match(
    out,
    /\| \*\*lost\*\* \| `shop\.example:80` \| `gateway default\{istio=ingressgateway\}` \| `GET \/` \| `100% v1` \| `100% no-listener` \|/
  )
})

t.test('the same as JSON', async (t) => {
  const { out } = await hitless([...CHECK, step('03-weight-10'), '-o', 'json'])
  t.match(JSON.parse(out).shifts, [
    {
      what: 'lost',
      port: 3000,
      example: 'GET /',
      before: { unserved: 0, destinations: [{ subset: 'v1', share: 1 }] },
      after: {
        status: 503,
        unserved: 0.1,
        destinations: [
          { subset: 'v1', share: 0.9 },
          { subset: 'v2', share: 0.1 }
        ]
      }
    }
  ])
})

t.test('as JSON too: the plan, and what could not be judged', async (t) => {
  const { out } = await hitless([...CHECK, step('14-drop-subset-v1'), step('02-deployment-v2'), step('13-only-v2'), '-o', 'json'])
  const { plan } = JSON.parse(out)
  t.match(plan, { steps: [{ waitFor: ['Deployment default/helloworld-v2'] }, {}, {}], stuck: [] })
  const match = [{ uri: { regex: '/a{2,3}' } }]
  const stdin = JSON.stringify(virtualService([rule([to('v1')], match), rule([to('v1', 50), to('v9', 50)])]))
  const partly = JSON.parse((await hitless([...CHECK, '-', '-o', 'json'], { stdin })).out)
  t.match(partly.notCompared, [/a\{2,3\}/])
})

t.test('nothing that changes no answer is a row', async (t) => {
  const stdin = JSON.stringify(destinationRule(['v1', 'v2']))
  t.match((await hitless([...CHECK, '-', '-o', 'markdown'], { stdin })).out, 'No request is answered otherwise than before.')
})

t.test('text of others is no mark-up, opens nothing, links nowhere and calls nobody', (t) => {
  const hostile = '@everyone <img src=x> [a](http://x) www.x.y `c` | **b** #1\n::error::</details>'
  const finding = { rule: 'missing-fallback', severity: 'warn' as const, text: hostile, object: hostile, place: null }
  const context = { kind: 'mesh' as const, namespace: hostile, labels: {} }
  const way = { status: hostile, unserved: null, destinations: [] }
  const shift = { what: 'moved' as const, host: hostile, port: 80, context, example: hostile, before: way, after: way }
  const report = {
    writes: 1,
    denied: 0,
    warned: 1,
    findings: [finding],
    unknown: [hostile],
    plan: { isSafe: true, lines: ['```\nx'] },
    shifts: [shift],
    notCompared: []
  }
  const lines = markdown(report).split('\n')
  const row = lines.find((each) => each.startsWith('| moved')) ?? ''
  t.equal(row.replaceAll('\\|', '').split('|').length, 8, 'a row has its cells')
  const bare = lines.map((each) => each.replace(/`[^`]*`/g, '')).join('\n')
  t.notMatch(bare, /@\w|<img|[^\\]\[a|:\/\/|www\.x|\*\*b|[^\\]#1|^\s*::/m)
  t.equal(bare.match(/<\/details>/g)?.length, 3)
  t.end()
})
