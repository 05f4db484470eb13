import { join } from 'node:path'
import t from 'tap'
import { hitless, WORLD } from '../cli/commands.ts'

const SCENARIOS = join(import.meta.dirname, '..', 'scenarios')
const SERVICE = '{apiVersion: v1, kind: Service, metadata: {name: helloworld}, spec: {selector: {app: helloworld}, ports: [{port: 80}]}}'

t.test('every step is shown with its verdict, and the exit code is 0 when all is as expected', async (t) => {
  const { exit, out } = await hitless(['replay', join(SCENARIOS, 'guide-subset-in-use.yaml')])
  t.equal(exit, 0)
  t.match(out, /^subset v1 goes away while it has weight 10\n/)
  t.match(out, / {2}deny {2}UPDATE DestinationRule default\/helloworld\n {8}hitless: 10% of requests .* \[subset-in-use\]\n/)
  t.match(out, /6 writes in 1 scenario, 0 not as expected\n$/)
})

t.test('the steps as JSON have a verdict, findings and the place of the write', async (t) => {
  const { out } = await hitless(['replay', '-o', 'json', join(SCENARIOS, 'guide-destination-rule-deleted.yaml')])
  t.match(JSON.parse(out), {
    steps: [
      {
        object: 'DestinationRule default/helloworld',
        operation: 'DELETE',
        verdict: 'deny',
        findings: [{ rule: 'subset-in-use', severity: 'deny' }],
        line: 5,
        column: 5
      }
    ]
  })
})

t.test('an expectation that does not hold is named with its line, and the exit code is 1', async (t) => {
  const folder = t.testdir({
    'wrong.yaml': [
      'name: wrong',
      `state: [${SERVICE}]`,
      'writes:',
      '  - apply: {apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: {host: helloworld}}',
      '    expect: deny',
      '  - delete: {apiVersion: v1, kind: Service, name: helloworld}',
      '    rules: [subset-in-use]'
    ].join('\n')
  })
  const file = join(folder, 'wrong.yaml')
  const { exit, out } = await hitless(['replay', file])
  t.equal(exit, 1)
  t.match(out, `${file}:4: expected deny, got allow`)
  t.match(out, `${file}:6: expected rules subset-in-use, got none`)
  t.match(out, '2 writes in 1 scenario, 2 not as expected')
})

t.test('a scenario can be denied for one author and admitted for a controller', async (t) => {
  const folder = t.testdir({
    'who.yaml': [
      'name: who',
      `state: ['${WORLD.replaceAll("'", "''")}']`,
      'writes:',
      '  - delete: {apiVersion: networking.istio.io/v1, kind: DestinationRule, name: helloworld}',
      '    as: {username: "system:serviceaccount:kube-system:namespace-controller"}',
      '    expect: allow'
    ].join('\n')
  })
  const { exit, out } = await hitless(['replay', join(folder, 'who.yaml')])
  t.equal(exit, 0, out)
})

/** Scenario files that cannot be played, and what is said, after the file's name. */
const REFUSED: Readonly<Record<string, { text: string; says: string }>> = {
  'no YAML': { text: 'name: [', says: ':1:8: unexpected end of the stream within a flow collection' },
  'no writes': { text: 'name: a\n', says: ":1:1: scenario must have required property 'writes'" },
  'an unknown field': { text: 'name: a\nwrites: []\nexpects: 1\n', says: ':1:1: scenario must NOT have additional properties "expects"' },
  'an unknown verdict': {
    text: 'name: a\nwrites:\n  - ready: {name: x}\n    expect: maybe\n',
    says: ':4:5: writes.0.expect must be equal to one of the allowed values'
  },
  'two actions in one write': {
    text: 'name: a\nwrites:\n  - ready: {name: x}\n    delete: {apiVersion: v1, kind: Service, name: a}\n',
    says: ':3:5: writes.0 must have one of apply, delete, scale, ready, set, unset'
  },
  'a write that does nothing': {
    text: 'name: a\nwrites:\n  - expect: allow\n',
    says: ':3:5: writes.0 must have one of apply, delete, scale, ready, set, unset'
  },
  'a Deployment that is not there': { text: 'name: a\nwrites:\n  - ready: {name: x}\n', says: ':3:5: there is no workload x' },
  'a Deployment to scale that is not there': {
    text: 'name: a\nwrites:\n  - scale: {name: x, replicas: 1}\n',
    says: ':3:5: there is no workload default/x to scale'
  },
  'an object to delete that is not there': {
    text: 'name: a\nwrites:\n  - delete: {apiVersion: v1, kind: Service, name: x}\n',
    says: ':3:5: there is no Service default/x to delete'
  },
  'a kind that hitless does not read': {
    text: 'name: a\nwrites:\n  - delete: {apiVersion: v1, kind: ResourceQuota, name: x}\n',
    says: ':3:5: v1 ResourceQuota is no kind that hitless judges'
  },
  'a field of the wrong type, at its place': {
    text: 'name: a\nwrites:\n  - apply:\n      apiVersion: v1\n      kind: Service\n      metadata: {name: 1}\n',
    says: ':6:18: metadata.name must be a string, not number 1'
  }
}
for (const [what, { text, says }] of Object.entries(REFUSED)) {
  t.test(`refuses a scenario with ${what}`, async (t) => {
    const file = join(t.testdir({ 'scenario.yaml': text }), 'scenario.yaml')
    const { exit, err } = await hitless(['replay', file])
    t.equal(exit, 2)
    t.match(err, `hitless: ${file}${says}`)
  })
}

t.test('a file or a state that is not there is bad input', async (t) => {
  const file = join(t.testdir({ 'scenario.yaml': 'name: a\nstate: [nowhere.yaml]\nwrites:\n  - ready: {name: x}\n' }), 'scenario.yaml')
  const missing = await hitless(['replay', 'nowhere.yaml'])
  t.equal(missing.exit, 2)
  t.match(missing.err, 'nowhere.yaml: cannot be read')
  t.equal((await hitless(['replay', file])).exit, 2)
})

t.test('what is malformed is an error of its own, and all else is played', async (t) => {
  const folder = t.testdir({
    'some.yaml': [
      'name: a step is malformed',
      `state: [${SERVICE}]`,
      'writes:',
      '  - apply: {apiVersion: v1, kind: Service, metadata: {name: 1}}',
      '  - delete: {apiVersion: v1, kind: Service, name: nobody}',
      '  - aply: {}',
      '  - delete: {apiVersion: v1, kind: Service, name: helloworld}',
      '    expect: deny',
      '---',
      'name: [',
      '---',
      'nothing: of the kind',
      '---',
      'name: the last',
      `state: [${SERVICE}]`,
      'writes: [{delete: {apiVersion: v1, kind: Service, name: helloworld}, expect: allow}]'
    ].join('\n')
  })
  const file = join(folder, 'some.yaml')
  const { exit, out, err } = await hitless(['replay', 'nowhere.yaml', file])
  t.equal(exit, 2, 'malformed counts more than an expectation that does not hold')
  t.match(out, /a step is malformed\n.*DELETE Service default\/helloworld\n(?:.*\n)*the last\n.*DELETE Service default\/helloworld/)
  t.match(out, `${file}:7: expected deny, got`)
  t.match(out, /2 writes in 5 scenarios, 1 not as expected, 6 malformed\n$/)
  const places = err
    .trimEnd()
    .split('\n')
    .map((line) => /:(\d+):\d+: /.exec(line)?.[1] ?? line)
  t.same(places, ['hitless: nowhere.yaml: cannot be read (no such file or directory) [HITLESS_UNREADABLE]', '4', '5', '6', '11', '12'])
  const json = JSON.parse((await hitless(['replay', '-o', 'json', file])).out)
  t.equal(json.steps.length, 2)
  t.match(json.errors, [{ code: 'HITLESS_SCENARIO' }, { code: 'HITLESS_SCENARIO' }, {}, { code: 'HITLESS_YAML' }, {}])
})

t.test('a scenario has a configuration of its own, and authors with groups', async (t) => {
  const text = (config: string) =>
    [
      'name: who and how',
      `config: ${config}`,
      `state: ['${WORLD.replaceAll("'", "''")}']`,
      'as: {username: alice, groups: [release]}',
      'writes:',
      '  - delete: {apiVersion: networking.istio.io/v1, kind: DestinationRule, name: helloworld}'
    ].join('\n')
  const folder = t.testdir({ 'warn.yaml': text('{rules: {subset-in-use: warn}}'), 'wrong.yaml': text('{rules: {subset-in-uses: warn}}') })
  t.match((await hitless(['replay', join(folder, 'warn.yaml')])).out, / {2}warn {2}DELETE DestinationRule/)
  t.match(await hitless(['replay', join(folder, 'wrong.yaml')]), {
    exit: 2,
    err: /wrong\.yaml:2:1: config: rules\.subset-in-uses is not known; do you mean subset-in-use\? \[HITLESS_CONFIG\]/
  })
})

t.test("names are completed for the configuration's domain, in the world and in the writes", async (t) => {
  const folder = t.testdir({
    'domain.yaml': `
name: domain
config: { settings: { domain: example.org } }
state: ['${WORLD.replaceAll("'", "''")}']
writes:
  - apply:
      apiVersion: networking.istio.io/v1
      kind: VirtualService
      metadata: { name: helloworld }
      spec: { hosts: [helloworld], http: [{ route: [{ destination: { host: helloworld.default.svc.example.org } }] }] }
    expect: allow
  - apply:
      apiVersion: networking.istio.io/v1
      kind: VirtualService
      metadata: { name: helloworld }
      spec: { hosts: [helloworld], http: [{ route: [{ destination: { host: helloworld.default.svc.cluster.local } }] }] }
    rules: [unknown-destination]
`
  })
  const { exit, out } = await hitless(['replay', join(folder, 'domain.yaml')])
  t.equal(exit, 0, out)
})
