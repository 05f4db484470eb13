/** Findings in the forms of CI systems, through the command line. */
import t from 'tap'
import { REPORT_FORMATS, report } from '../../src/output/report.ts'
import { BROKEN, EXAMPLES, hitless, step, WORLD } from '../cli/commands.ts'

const FILE = `${step('07-weight-50')}/virtual-service.yaml`
const TEXT =
  '50% of requests to helloworld.default.svc.cluster.local:3000 would get 503: VirtualService default/helloworld http[0] sends 50% to subset "v2", ' +
  'which no DestinationRule defines. First add subset "v2" to DestinationRule default/helloworld, then apply this again.'
const CHECK = ['check', '--base', WORLD, step('07-weight-50'), '-o']

t.test('check annotates the line in a workflow of GitHub', async (t) => {
  const { exit, out } = await hitless([...CHECK, 'github'])
  t.equal(exit, 1)
  t.equal(
    out,
    `::error file=${FILE},line=21,col=13,title=undefined-subset%3A VirtualService default/helloworld::${TEXT.replaceAll('%', '%25')}\n`
  )
})

t.test('check is a suite of JUnit with a test for each write', async (t) => {
  const refused = await hitless([...CHECK, 'junit'])
  const text = TEXT.replaceAll('"', '&quot;')
  t.equal(refused.exit, 1)
  t.equal(
    refused.out,
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="hitless" tests="1" failures="1">
  <testcase name="UPDATE VirtualService default/helloworld" classname="${FILE}">
    <failure type="undefined-subset" message="${text}">${FILE}:21:13: [undefined-subset] ${text}</failure>
  </testcase>
</testsuite>
`
  )
  const admitted = await hitless(['check', '--base', WORLD, step('01-subset-v2'), '-o', 'junit'])
  t.equal(admitted.exit, 0)
  t.match(admitted.out, '<testsuite name="hitless" tests="1" failures="0">')
  t.notMatch(admitted.out, '<failure')
})

t.test('SARIF names a file from the folder of the command, whatever its name holds', (t) => {
  const uri = (file: string) => {
    const place = { file, line: 1, column: 1 }
    const finding = { rule: 'undefined-subset', severity: 'deny', text: 'x', object: 'VirtualService a/b', place } as const
    const { runs } = JSON.parse(report('sarif', [{ name: 'a', group: file, findings: [finding] }], '1.2.3'))
    return runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri
  }
  t.equal(uri('mesh/a.yaml'), 'mesh/a.yaml')
  t.equal(uri('mesh/a#b c?.yaml'), 'mesh/a%23b%20c%3F.yaml')
  t.equal(uri('origin/main:mesh/a.yaml'), 'origin/main%3Amesh/a.yaml')
  t.equal(uri('/mesh/a#b.yaml'), 'file:///mesh/a%23b.yaml')
  t.end()
})

t.test('check gives SARIF with the rule, its help and the place', async (t) => {
  const { exit, out } = await hitless([...CHECK, 'sarif'])
  t.equal(exit, 1)
  const { version, runs } = JSON.parse(out)
  t.equal(version, '2.1.0')
  t.equal(runs.length, 1)
  t.match(runs[0].tool.driver, {
    name: 'hitless',
    version: '1.2.3',
    rules: [{ id: 'undefined-subset', help: { text: 'Add the subset to the DestinationRule first, then send requests to it.' } }]
  })
  t.strictSame(runs[0].results, [
    {
      ruleId: 'undefined-subset',
      ruleIndex: 0,
      level: 'error',
      message: { text: TEXT },
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: `file://${FILE}` }, region: { startLine: 21, startColumn: 13 } },
          logicalLocations: [{ fullyQualifiedName: 'VirtualService default/helloworld', kind: 'object' }]
        }
      ]
    }
  ])
})

t.test('audit has a test for each object at fault, gaps and findings at their lines', async (t) => {
  const junit = await hitless(['audit', '-', '-o', 'junit'], { stdin: BROKEN })
  t.equal(junit.exit, 1)
  t.match(junit.out, '<testsuite name="hitless" tests="2" failures="2">')
  t.match(
    junit.out,
    /<testcase name="VirtualService prod\/reviews" classname="&lt;stdin&gt;">(\n {4}<failure.*)*\n {4}<failure type="missing-fallback"/
  )
  const github = await hitless(['audit', '-', '-o', 'github'], { stdin: BROKEN })
  t.match(github.out, /^::error file=<stdin>,line=12,col=3,title=missing-fallback%3A VirtualService prod\/reviews::100%25 of requests to /m)
  t.match(github.out, /^::error file=<stdin>,line=5,col=\d+,title=version-in-selector%3A Service prod\/reviews::/m)
})

t.test('nothing found is a valid report too', async (t) => {
  const none = async (format: string) => hitless(['audit', `${EXAMPLES}/world`, '-o', format])
  t.same(await none('github'), { exit: 0, out: '', err: '' })
  t.match(await none('junit'), { exit: 0, out: '<testsuite name="hitless" tests="0" failures="0">\n</testsuite>' })
  t.same(JSON.parse((await none('sarif')).out).runs[0].results, [])
})

t.test('no text of an object breaks out of its field', (t) => {
  const hostile = 'a\n::error::b%0A<c d="e">&]]>\u0000\u001b[2K\ud800\uffff'
  const finding = { rule: 'missing-fallback', severity: 'deny', text: hostile, object: hostile, place: null } as const
  const cases = [{ name: hostile, group: hostile, findings: [finding, { ...finding, severity: 'warn' as const }] }]
  const [github = '', junit = ''] = ['github' as const, 'junit' as const].map((format) => report(format, cases, '1'))
  t.equal(github.trimEnd().split('\n').length, 2, 'one line a finding')
  t.match(github, '::a ::error::b%250A<c')
  t.notMatch(junit, /[^\P{Cc}\n]/u)
  t.notMatch(junit, /<c|&\]/)
  t.match(junit, '&lt;c d=&quot;e&quot;&gt;&amp;]]&gt;')
  for (const format of REPORT_FORMATS) t.ok(report(format, cases, '1').endsWith('\n'))
  t.end()
})
