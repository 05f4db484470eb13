/** The orders in which Flagger and Argo Rollouts write, by reading their sources; what each write must get is in test/scenarios. */
import { deployment, destinationRule, HOST, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { helloworld, template } from './objects.ts'
import { apply, BOUND, CLASSES, type Script, type WriteStep } from './scripts.ts'

export const FLAGGER = 'system:serviceaccount:flagger-system:flagger'
export const ARGO = 'system:serviceaccount:argo-rollouts:argo-rollouts'

const by =
  (as: string) =>
  (what: string, object: Manifest): WriteStep => ({ ...apply(what, object), as })
const atOnce = (step: WriteStep): WriteStep => ({ ...step, atOnce: true })
const flagger = by(FLAGGER)
const argo = by(ARGO)

// Flagger: one Service and one Deployment for each role, no subsets. The target is at 0 between releases, and its Pods carry `app: helloworld`.
const TARGET = 'helloworld'
const PRIMARY = 'helloworld-primary'
const roles = (primary: number, canary: number) =>
  virtualService([rule([to(null, primary, { host: PRIMARY }), to(null, canary, { host: 'helloworld-canary' })])], BOUND)
const target = (version: string, replicas: number) => named(TARGET, version, replicas)
const primary = (version: string) => named(PRIMARY, version, 2)
const hostOnly = (name: string) => destinationRule([], { host: HOST.replace('helloworld', name) }, { name })

const FLAGGER_BASE = [
  helloworld({ app: PRIMARY }),
  helloworld({ app: TARGET }, 'helloworld-canary'),
  helloworld({ app: PRIMARY }, PRIMARY),
  primary('v1'),
  target('v1', 0),
  hostOnly('helloworld-canary'),
  hostOnly(PRIMARY),
  roles(100, 0)
]
const FLAGGER_START = [
  apply('target gets v2', target('v2', 0)),
  flagger('target to 2 replicas', target('v2', 2)),
  flagger('weights 90/10', roles(90, 10)),
  flagger('weights 50/50', roles(50, 50))
]

// Argo Rollouts: one Deployment-less workload, two subsets that it points at the hash of a ReplicaSet.
const hashes = (stable: string, canary: string) =>
  destinationRule([], {
    subsets: [
      { name: 'stable', labels: hashed(stable) },
      { name: 'canary', labels: hashed(canary) }
    ]
  })
const weights = (stable: number, canary: number) => virtualService([rule([to('stable', stable), to('canary', canary)])], BOUND)
const canarySteps = (version: string, ...shares: readonly number[]): WriteStep[] => [
  argo(`ReplicaSet ${version} with 0 replicas`, replicaSet(version, 0)),
  argo(`DestinationRule canary to ${version}`, hashes('v1', version)),
  argo(`ReplicaSet ${version} to 2 replicas`, replicaSet(version, 2)),
  ...shares.map((share) => argo(`VirtualService ${100 - share}/${share}`, weights(100 - share, share)))
]

const ARGO_BASE = [helloworld(), replicaSet('v1', 2), hashes('v1', 'v1'), weights(100, 0)]
const STABLE_AGAIN = argo('VirtualService 100/0', weights(100, 0))
const NEXT_CANARY = argo('DestinationRule canary to v3, which has no Pods', hashes('v1', 'v3'))

export const TOOL_SCRIPTS: readonly Script[] = [
  {
    ...script('flagger', 'Flagger: release', FLAGGER_BASE),
    steps: [
      ...FLAGGER_START,
      flagger('primary gets v2', primary('v2')),
      flagger('weights 100/0', roles(100, 0)),
      flagger('target to 0 replicas', target('v2', 0))
    ]
  },
  {
    ...script('flagger-rollback', 'Flagger: rollback', FLAGGER_BASE),
    steps: [...FLAGGER_START, flagger('weights 100/0', roles(100, 0)), atOnce(flagger('target to 0 replicas', target('v2', 0)))]
  },
  {
    ...script('flagger-adopts', 'Flagger: adopts a Deployment, without waiting (skipAnalysis)', [helloworld(), target('v1', 2), plain()]),
    steps: [
      { do: 'hold', version: 'v1-primary' },
      flagger('Deployment helloworld-primary', named(PRIMARY, 'v1-primary', 2)),
      flagger('Service selects the primary', helloworld({ app: PRIMARY })),
      { do: 'let go', version: 'v1-primary' },
      flagger('Service selects the primary', helloworld({ app: PRIMARY })),
      flagger('target to 0 replicas', target('v1', 0))
    ],
    careless: true
  },
  {
    ...script('argo', 'Argo Rollouts: release', ARGO_BASE),
    steps: [
      ...canarySteps('v2', 20, 60, 100),
      argo('DestinationRule stable to v2', hashes('v2', 'v2')),
      atOnce(STABLE_AGAIN),
      argo('ReplicaSet v1 to 0 replicas', replicaSet('v1', 0))
    ]
  },
  {
    ...script('argo-superseded', 'Argo Rollouts: v3 while v2 has 20%', ARGO_BASE),
    steps: [...canarySteps('v2', 20), argo('ReplicaSet v3 with 0 replicas', replicaSet('v3', 0)), STABLE_AGAIN, atOnce(NEXT_CANARY)]
  },
  {
    ...script('argo-1.8', 'Argo Rollouts 1.8 and older: v3 while v2 has 20%', ARGO_BASE),
    steps: [...canarySteps('v2', 20), argo('ReplicaSet v3 with 0 replicas', replicaSet('v3', 0)), NEXT_CANARY, STABLE_AGAIN, NEXT_CANARY],
    careless: true
  }
]

function script(name: string, title: string, base: readonly Manifest[]): Omit<Script, 'steps'> {
  return { name, title, classes: CLASSES, base, careless: false }
}

/** A Deployment whose Pods select by name alone, and say their version. */
function named(app: string, version: string, replicas: number): Manifest {
  const fields = { replicas, selector: { matchLabels: { app } }, template: template({ app, version }) }
  return { ...deployment('v1', fields), metadata: { name: app, namespace: 'default' } }
}

function replicaSet(version: string, replicas: number): Manifest {
  const labels = hashed(version)
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: `helloworld-${version}`, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: template({ ...labels, version }) }
  }
}

function hashed(version: string): Record<string, string> {
  return { app: 'helloworld', 'rollouts-pod-template-hash': `hash-of-${version}` }
}

function plain(): Manifest {
  return virtualService([rule([to(null)])], BOUND)
}
