/** Names that JavaScript gives every object are names like any other: each map of each kind, judged with them as with an ordinary name. */
import t from 'tap'
import { audit } from '../../src/review/audit.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { deployment, destinationRule, guideWith, type Manifest, rule, service, to, virtualService } from '../manifests.ts'

const STRANGE = ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'isPrototypeOf']
/** Stands for the name in the worlds and writes below. */
const NAME = '@name'
/** Sorts as the strange ones do among the other names of the worlds. */
const ORDINARY = 'ordinary'

const ISTIO = 'networking.istio.io/v1'
const PLAIN = rule([to('v1')])
const object = (kind: string, name: string, spec: Record<string, unknown>): Manifest => ({
  apiVersion: ISTIO,
  kind,
  metadata: { name, namespace: 'default' },
  spec
})
const matching = (match: Record<string, unknown>) => virtualService([rule([to('v2')], [match])])
const pods = (version: string) => deployment(version, {}, { app: 'helloworld', version, [NAME]: 'a' })
const entry = (spec: Record<string, unknown>) =>
  object('ServiceEntry', 'outside', {
    hosts: ['helloworld.com'],
    ports: [{ number: 3000, name: 'http', protocol: 'HTTP' }],
    resolution: 'STATIC',
    ...spec
  })
const outside = virtualService([rule([{ destination: { host: 'helloworld.com', subset: 'v1' } }])])
const outsideRule = destinationRule([], { host: 'helloworld.com', subsets: [{ name: 'v1', labels: { [NAME]: 'a' } }] })

interface Case {
  readonly given?: readonly Manifest[]
  readonly writes: readonly Manifest[]
  readonly removes?: readonly Manifest[]
}

const CASES: Readonly<Record<string, Case>> = {
  'a header that is asked for': { writes: [matching({ headers: { [NAME]: { exact: 'a' } } }), matching({ headers: { [NAME]: {} } })] },
  'a header that is excluded': {
    writes: [
      matching({ withoutHeaders: { [NAME]: { exact: 'a' } } }),
      virtualService([rule([to('v1')], [{ withoutHeaders: { [NAME]: {} } }]), PLAIN])
    ]
  },
  'a query parameter': { writes: [matching({ queryParams: { [NAME]: { regex: 'a+' } } })] },
  'a header beside a wider rule': { writes: [virtualService([PLAIN, rule([to('v2')], [{ headers: { [NAME]: { exact: 'a' } } }])])] },
  'labels of the client': {
    given: [pods('v1')],
    writes: [virtualService([rule([to('v3')], [{ sourceLabels: { [NAME]: 'a' } }]), PLAIN])]
  },
  'a delegate whose matches conflict': {
    given: [
      object('VirtualService', 'delegate', {
        http: [rule([to('v1')], [{ headers: { [NAME]: { exact: 'b' } }, sourceLabels: { [NAME]: 'b' } }])]
      })
    ],
    writes: [
      virtualService([
        { match: [{ headers: { [NAME]: { exact: 'a' } } }], delegate: { name: 'delegate' } },
        { match: [{ sourceLabels: { [NAME]: 'a' } }], delegate: { name: 'delegate' } }
      ])
    ]
  },
  "a Service's selector": { writes: [service({ selector: { app: 'helloworld', [NAME]: 'a' } })], removes: [service()] },
  'a selector that Pods meet': { given: [pods('v1'), pods('v2')], writes: [service({ selector: { [NAME]: 'a' } })] },
  "a Pod template's labels": {
    writes: [pods('v1'), deployment('v3', {}, { app: 'helloworld', [NAME]: 'v3' })],
    removes: [deployment('v1')]
  },
  "a subset's labels": {
    writes: [
      destinationRule([], {
        subsets: [
          { name: 'v1', labels: { [NAME]: 'v1' } },
          { name: 'v2', labels: { version: 'v2' } }
        ]
      })
    ]
  },
  'subsets that differ in a label': {
    given: [
      destinationRule([], {
        subsets: [
          { name: 'v1', labels: { [NAME]: 'v1' } },
          { name: 'v2', labels: { [NAME]: 'v2' } }
        ]
      })
    ],
    writes: [service({ selector: { app: 'helloworld', [NAME]: 'v1' } }), deployment('v3'), virtualService([rule([to('v2')])])]
  },
  "a DestinationRule's workloadSelector": {
    given: [pods('v1')],
    writes: [destinationRule(['v2'], { workloadSelector: { matchLabels: { [NAME]: 'a' } } }, { name: 'selected' })]
  },
  "a Sidecar's workloadSelector": {
    given: [pods('v1'), object('Sidecar', 'selected', { workloadSelector: { labels: { [NAME]: 'a' } }, egress: [{ hosts: ['other/*'] }] })],
    writes: [virtualService([rule([to('v3')])])]
  },
  "a ServiceEntry's endpoints": {
    given: [entry({ endpoints: [{ address: '1.1.1.1', labels: { [NAME]: 'b' } }] }), outsideRule],
    writes: [outside]
  },
  "a ServiceEntry's workloadSelector": {
    given: [entry({ workloadSelector: { labels: { [NAME]: 'a' } } }), pods('v1')],
    writes: [outside]
  },
  "a WorkloadEntry's labels": {
    given: [
      entry({ workloadSelector: { labels: { app: 'outside' } } }),
      object('WorkloadEntry', 'one', { address: '1.1.1.1', labels: { app: 'outside', [NAME]: 'b' } }),
      outsideRule
    ],
    writes: [outside]
  },
  "a Gateway's selector": {
    given: [
      object('Gateway', 'gateway', {
        selector: { [NAME]: 'a' },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }]
      })
    ],
    writes: [virtualService([rule([to('v3')], [{ uri: { prefix: '/a' } }])], { hosts: ['a.com'], gateways: ['gateway'] })]
  },
  'an application protocol': {
    writes: [service({ ports: [{ name: NAME, port: 3000, appProtocol: NAME }] }), service({ ports: [{ name: NAME, port: 3000 }] })],
    given: [virtualService([rule([to('v3')], [{ uri: { prefix: '/a' } }])])]
  },
  'the resolution and protocol of a ServiceEntry': {
    given: [entry({ resolution: NAME, ports: [{ number: 3000, name: NAME, protocol: NAME }] })],
    writes: [outside]
  },
  'names of objects': {
    given: [{ ...service(), metadata: { name: NAME, namespace: 'default' } }],
    writes: [
      virtualService([rule([{ destination: { host: NAME, subset: NAME } }])]),
      { ...destinationRule([NAME]), metadata: { name: NAME, namespace: NAME } }
    ]
  },
  "an object's labels and annotations": { writes: [service({}, { labels: { [NAME]: 'a' }, annotations: { [NAME]: 'a' } })] }
}

/** Everything that is said of the writes, and of what they leave, with the name in them taken out again. */
function judged({ given = [], writes, removes = [] }: Case, name: string): string {
  const named = (manifests: readonly Manifest[]): Manifest[] => JSON.parse(JSON.stringify(manifests).replaceAll(NAME, name))
  const said: unknown[] = []
  const worlds = [worldOf(guideWith(...named(given)))]
  for (const world of worlds) {
    const changes = [
      ...named(writes).map((manifest) => apply(world, manifest)),
      ...named(removes).map((manifest) => remove(world, manifest))
    ]
    said.push(audit(world, DEFAULT_POLICY))
    for (const change of changes) said.push(decide(change, world, DEFAULT_POLICY, 0))
    for (const { after } of changes) {
      if (after === null) continue
      world.set(after)
      said.push(audit(world, DEFAULT_POLICY))
    }
  }
  return JSON.stringify(said, null, 1).replaceAll(name, NAME).replaceAll(name.toLowerCase(), NAME)
}

for (const [what, given] of Object.entries(CASES)) {
  t.test(what, async (t) => {
    const expected = judged(given, ORDINARY)
    for (const name of STRANGE) t.equal(judged(given, name), expected, name)
  })
}
