/** How many attempts a tool takes until a release is through, by a model of each tool, with a fresh view and with a cache one write behind. */
import t from 'tap'
import type { View } from '../../src/sandbox/session.ts'
import { deployment, destinationRule, type Manifest, rule, service, to, unready, virtualService } from '../manifests.ts'
import { Behind } from './behind.ts'
import {
  type Attempt,
  argoCd,
  argoCdPruneLast,
  attemptsOf,
  Canary,
  Cluster,
  flux,
  helm,
  helmAtomic,
  helmUninstall,
  type Release,
  Rollout
} from './tools.ts'

const VIEWS: Readonly<Record<string, View | undefined>> = { fresh: undefined, behind: (sandbox) => new Behind(sandbox) }

const all = (subset: string) => virtualService([rule([to(subset)])])
const split = (v1: number, v2: number) => virtualService([rule([to('v1', v1), to('v2', v2)])])
const v1 = [service(), deployment('v1'), destinationRule(['v1']), all('v1')]
const both = [service(), deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])]
const v2 = [service(), deployment('v2'), destinationRule(['v2']), all('v2')]

const named = (manifest: Manifest, name: string): Manifest => ({ ...manifest, metadata: { ...manifest.metadata, name } })
/** A chart with the version in one Deployment's labels, and in the subset's. */
const relabelled = (version: string) => [
  service(),
  named(deployment(version), 'helloworld'),
  destinationRule([], { subsets: [{ name: 'current', labels: { version } }] }),
  virtualService([rule([to('current')])])
]

interface Case {
  readonly row: string
  readonly what: string
  readonly tool: Attempt
  readonly release: Release
  /** null: never. */
  readonly attempts: number | null
  /** Refused on the way, each once. */
  readonly refused?: readonly string[]
  /** What the cluster holds before, if that is not what was released. */
  readonly start?: readonly Manifest[]
}

const VS = 'VirtualService helloworld'
const DR = 'DestinationRule helloworld'
const V1 = 'Deployment helloworld-v1'

const CASES: readonly Case[] = [
  { row: 'HE-1', what: 'a first install', tool: helm, release: { from: [], to: v1 }, attempts: 1 },
  { row: 'HE-2', what: 'a version without weight', tool: helm, release: { from: v1, to: [...both, split(100, 0)] }, attempts: 1 },
  {
    row: 'HE-3',
    what: 'a version and its weight',
    tool: helm,
    release: { from: v1, to: [...both, split(90, 10)] },
    attempts: 2,
    refused: [VS]
  },
  {
    row: 'HE-3',
    what: 'a version and its weight, rolled back on failure',
    tool: helmAtomic,
    release: { from: v1, to: [...both, split(90, 10)] },
    attempts: null,
    refused: [VS]
  },
  {
    row: 'HE-4',
    what: 'a shift and its clean-up',
    tool: helm,
    release: { from: [...both, split(100, 0)], to: v2 },
    attempts: 2,
    refused: [DR]
  },
  {
    row: 'HE-4',
    what: 'a shift and its clean-up, rolled back on failure',
    tool: helmAtomic,
    release: { from: [...both, split(100, 0)], to: v2 },
    attempts: null,
    refused: [DR]
  },
  {
    row: 'HE-5',
    what: 'a shift, and the Deployment goes',
    tool: helm,
    release: { from: [...both, split(100, 0)], to: [service(), deployment('v2'), destinationRule(['v1', 'v2']), all('v2')] },
    attempts: 1
  },
  {
    row: 'HE-6',
    what: 'a shift and a scale to 0',
    tool: helm,
    release: {
      from: [...both, split(100, 0)],
      to: [service(), deployment('v1', { replicas: 0 }), deployment('v2'), destinationRule(['v1', 'v2']), all('v2')]
    },
    attempts: 2,
    refused: [V1]
  },
  {
    row: 'HE-7',
    what: 'a rollback while the new version serves',
    tool: helm,
    release: { from: [...both, all('v2')], to: [service(), deployment('v1'), deployment('v2'), destinationRule(['v1']), all('v1')] },
    attempts: 2,
    refused: [DR]
  },
  {
    row: 'HE-8',
    what: 'a rollback from a dead version',
    tool: helm,
    start: [service(), deployment('v1'), unready(deployment('v2')), destinationRule(['v1', 'v2']), all('v2')],
    release: { from: [...both, all('v2')], to: v1 },
    attempts: 1
  },
  { row: 'HE-9', what: 'uninstalled', tool: helmUninstall, release: { from: [...both, split(50, 50)], to: [] }, attempts: 1 },
  {
    row: 'HE-10',
    what: 'the version in the labels of the only Deployment',
    tool: helm,
    release: { from: relabelled('v1'), to: relabelled('v2') },
    attempts: null,
    refused: ['Deployment helloworld', DR]
  },
  {
    row: 'AC-1',
    what: 'routes named before the rule',
    tool: argoCd,
    release: {
      from: [service(), deployment('v1'), deployment('v2'), named(all('v1'), 'a-routes'), named(destinationRule(['v1']), 'z-rule')],
      to: [service(), deployment('v1'), deployment('v2'), named(split(90, 10), 'a-routes'), named(destinationRule(['v1', 'v2']), 'z-rule')]
    },
    attempts: 2,
    refused: ['VirtualService a-routes']
  },
  {
    row: 'AC-2',
    what: 'a shift, and the Deployment is pruned first',
    tool: argoCd,
    release: { from: [...both, split(100, 0)], to: [service(), deployment('v2'), destinationRule(['v1', 'v2']), all('v2')] },
    attempts: null,
    refused: [V1]
  },
  {
    row: 'AC-2',
    what: 'a shift, and the Deployment is pruned last',
    tool: argoCdPruneLast,
    release: { from: [...both, split(100, 0)], to: [service(), deployment('v2'), destinationRule(['v1', 'v2']), all('v2')] },
    attempts: 1
  },
  {
    row: 'AC-3',
    what: 'a shift and its clean-up, the rule named first',
    tool: argoCd,
    release: {
      from: [service(), deployment('v1'), deployment('v2'), named(destinationRule(['v1', 'v2']), 'a-rule'), named(all('v1'), 'z-routes')],
      to: [service(), deployment('v1'), deployment('v2'), named(destinationRule(['v2']), 'a-rule'), named(all('v2'), 'z-routes')]
    },
    attempts: 2,
    refused: ['DestinationRule a-rule']
  },
  {
    row: 'FX-1',
    what: 'a subset and its weight, the version is there',
    tool: flux,
    release: { from: [...both.slice(0, 3), destinationRule(['v1']), all('v1')], to: [...both, split(90, 10)] },
    attempts: 1
  },
  {
    row: 'FX-2',
    what: 'a version and its weight',
    tool: flux,
    release: { from: v1, to: [...both, split(90, 10)] },
    attempts: 2,
    refused: [VS]
  },
  {
    row: 'FX-3',
    what: 'a shift and its clean-up in one commit',
    tool: flux,
    release: { from: [...both, split(100, 0)], to: v2 },
    attempts: null,
    refused: [DR]
  },
  {
    row: 'FX-3',
    what: 'a shift in a commit of its own',
    tool: flux,
    release: { from: [...both, split(100, 0)], to: [...both, all('v2')] },
    attempts: 1
  },
  {
    row: 'FX-4',
    what: 'a shift, and the Deployment is pruned',
    tool: flux,
    release: { from: [...both, split(100, 0)], to: [service(), deployment('v2'), destinationRule(['v1', 'v2']), all('v2')] },
    attempts: 1
  },
  { row: 'FX-4', what: 'the clean-up in a second commit', tool: flux, release: { from: [...both, all('v2')], to: v2 }, attempts: 1 }
]

for (const [seen, view] of Object.entries(VIEWS)) {
  for (const { row, what, tool, release, attempts, refused = [], start = release.from } of CASES) {
    t.test(`${row}, ${seen}: ${what}, ${attempts === null ? 'never' : `in ${attempts}`}`, async (t) => {
      const cluster = new Cluster(start, view)
      t.equal(await attemptsOf(() => tool(cluster, release), cluster), attempts)
      t.same([...new Set(cluster.refused)], refused)
      if (attempts === null) return
      for (const manifest of release.to)
        t.ok(cluster.holds(manifest), `${manifest.kind} ${String(manifest.metadata['name'])} is as released`)
      const gone = release.from.filter((manifest) => !release.to.some(({ kind, metadata }) => same(kind, metadata, manifest)))
      for (const manifest of gone) t.notOk(cluster.has(manifest), `${manifest.kind} ${String(manifest.metadata['name'])} is gone`)
    })
  }

  t.test(`HE-3 and HE-4, ${seen}: what was rolled back is as it was before`, async (t) => {
    for (const release of [
      { from: v1, to: [...both, split(90, 10)] },
      { from: [...both, split(100, 0)], to: v2 }
    ]) {
      const cluster = new Cluster(release.from, view)
      t.notOk(await helmAtomic(cluster, release))
      for (const manifest of release.from) t.ok(cluster.holds(manifest), `${manifest.kind} ${String(manifest.metadata['name'])}`)
      t.equal(cluster.has(deployment('v2')), release.from.length > v1.length)
    }
  })

  t.test(`AR-S, ${seen}: a rollout goes through its steps without a refusal`, async (t) => {
    const cluster = new Cluster(Rollout.start('h1'), view)
    const rollout = new Rollout(cluster, { stable: 'h1', steps: [20, 60] })
    rollout.wanted = 'h2'
    t.equal(await attemptsOf(() => rollout.reconcile(), cluster), 5)
    t.same(cluster.refused, [])
    t.ok(rollout.weightIs(0))
    rollout.wanted = 'h3'
    t.equal(await attemptsOf(() => rollout.reconcile(), cluster), 5, 'and the next')
    t.same(cluster.refused, [])
  })

  for (const ruleFirst of [false, true]) {
    t.test(`AR-V3, ${seen}: a third release in the middle of the second, ${ruleFirst ? 'rule first' : 'routes first'}`, async (t) => {
      const cluster = new Cluster(Rollout.start('h1'), view)
      const rollout = new Rollout(cluster, { stable: 'h1', steps: [20, 60], ruleFirst })
      rollout.wanted = 'h2'
      for (let count = 0; count < 3; count += 1) t.notOk(await rollout.reconcile())
      t.ok(rollout.weightIs(20))
      rollout.wanted = 'h3'
      t.equal(await attemptsOf(() => rollout.reconcile(), cluster), ruleFirst ? null : 5)
      t.same([...new Set(cluster.refused)], ruleFirst ? ['DestinationRule x'] : [])
      t.ok(rollout.weightIs(ruleFirst ? 20 : 0), ruleFirst ? 'traffic stays where it is served' : 'done')
    })
  }

  for (const skipAnalysis of [false, true]) {
    t.test(`FL-I, ${seen}: Flagger takes over an app${skipAnalysis ? ', without analysis' : ''}`, async (t) => {
      const cluster = new Cluster(Canary.start(), view)
      const canary = new Canary(cluster, { skipAnalysis })
      t.equal(await attemptsOf(() => canary.initialise(), cluster), 2)
      t.same(cluster.refused, skipAnalysis ? ['Service podinfo'] : [], 'it turns the Service to Pods that are not Ready')
    })
  }

  t.test(`FL-R, ${seen}: Flagger promotes, and rolls back, without a refusal`, async (t) => {
    const cluster = new Cluster(Canary.start(), view)
    const canary = new Canary(cluster)
    await attemptsOf(() => canary.initialise(), cluster)
    t.equal(await attemptsOf(() => canary.advance(), cluster), 4)
    t.notOk(cluster.isReady('podinfo'), 'the canary is scaled down')
    const next = new Canary(cluster)
    await attemptsOf(() => next.initialise(), cluster)
    for (let interval = 0; interval < 2; interval += 1) {
      t.notOk(await next.advance())
      cluster.settle()
    }
    t.ok(await next.rollBack())
    t.same(cluster.refused, [])
  })
}

function same(kind: string, metadata: Manifest['metadata'], other: Manifest): boolean {
  return kind === other.kind && metadata['name'] === other.metadata['name']
}
