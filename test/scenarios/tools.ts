/**
 * Release tools, as far as refusals matter to them: the order they write in, what they do after a refusal, and what they do the next time.
 * As their sources have it: Helm pkg/kube/client.go and kind_sorter.go, Argo CD gitops-engine/pkg/sync, Flux pkg/ssa, Argo Rollouts rollout/canary.go,
 * Flagger pkg/controller/scheduler.go. Each drives the embedded cluster through the real reviewer, one replica for each write.
 */

import { type MeshObject, parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import type { Author } from '../../src/review/change.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Session, type View } from '../../src/sandbox/session.ts'
import type { Manifest } from '../manifests.ts'

type Judged = Awaited<ReturnType<Session['apply']>>

/** The cluster as a tool reaches it. Every method that writes answers whether the write was admitted. */
export class Cluster {
  /** What was refused, in the order of the attempts. */
  readonly refused: string[] = []
  readonly #session: Session

  constructor(start: readonly Manifest[], view?: View) {
    this.#session = new Session(DEFAULT_POLICY, Date.now, view)
    for (const manifest of start) this.set(manifest)
  }

  /** An object as it stands already, or that nobody reviews. */
  set(manifest: Manifest): void {
    this.#session.sandbox.load(parsed(manifest))
  }

  async apply(manifest: Manifest, author: Author, dryRun = false): Promise<boolean> {
    return this.#seen(await this.#session.apply(parsed(manifest), author, dryRun))
  }

  /** Also where it has gone already. */
  async delete(manifest: Manifest, author: Author): Promise<boolean> {
    const deleted = await this.#session.delete(parsed(manifest), author)
    return deleted === null || this.#seen(deleted)
  }

  async scale(name: string, replicas: number, author: Author): Promise<boolean> {
    const scaled = await this.#session.scale('default', name, replicas, author)
    if (scaled === null) throw new Error(`there is no Deployment ${name}`)
    return this.#seen(scaled)
  }

  /** Time passes: the Pods of every Deployment become Ready. */
  settle(): void {
    const { sandbox } = this.#session
    for (const { namespace, name } of [...sandbox.snapshot().all('Deployment')]) sandbox.ready(namespace, name)
  }

  isReady(deployment: string): boolean {
    return [...this.#session.sandbox.snapshot().lookup('podByWorkload', `default/Deployment/${deployment}`)].some(({ ready }) => ready)
  }

  /** A Pod of no Deployment. */
  isPodReady(name: string): boolean {
    return this.#session.sandbox.snapshot().find('Pod', 'default', name)?.ready === true
  }

  has(manifest: Manifest): boolean {
    const { kind, namespace, name } = parsed(manifest)
    return this.#session.sandbox.snapshot().find(kind, namespace, name) !== undefined
  }

  /** It is there, and says the same. */
  holds(manifest: Manifest): boolean {
    const wanted = parsed(manifest)
    const found = this.#session.sandbox.snapshot().find(wanted.kind, wanted.namespace, wanted.name)
    return found !== undefined && saidBy(found) === saidBy(wanted)
  }

  #seen({ change, decision }: Judged): boolean {
    const refused = decision.verdict === 'deny'
    if (refused) this.refused.push(`${change.ref.kind} ${change.ref.name}`)
    return !refused
  }
}

/** Manifests of the version that runs, and of the one that is to run. */
export interface Release {
  readonly from: readonly Manifest[]
  readonly to: readonly Manifest[]
}

/** One attempt of a tool. True where all of it came about, so that the tool rests. */
export type Attempt = (cluster: Cluster, release: Release) => Promise<boolean>

/** How many attempts it takes, Pods becoming Ready in between; null where it goes on for ever. */
export async function attemptsOf(attempt: () => Promise<boolean>, cluster: Cluster): Promise<number | null> {
  for (let count = 1; count <= 12; count += 1) {
    if (await attempt()) return count
    cluster.settle()
  }
  return null
}

const HELM: Author = { username: 'ci', groups: [], manager: 'helm' }
const ARGO_CD = controller('argocd', 'argocd-application-controller', 'argocd-controller')
const FLUX = controller('flux-system', 'kustomize-controller', 'kustomize-controller')
const ROLLOUTS = controller('argo-rollouts', 'argo-rollouts', 'rollouts-controller')
const FLAGGER = controller('istio-system', 'flagger', 'flagger')

/** Helm goes on after a refused update, stops at a refused create, and deletes at last, if nothing failed. It tries once. */
export const helm: Attempt = async (cluster, { from, to }) => {
  let failed = false
  for (const manifest of [...to].sort(byKind)) {
    const isNew = !cluster.has(manifest)
    if (await cluster.apply(manifest, HELM)) continue
    if (isNew) return false
    failed = true
  }
  return !failed && (await inTurn(gone(from, to).sort(byKind), (manifest) => cluster.delete(manifest, HELM), 'goes on'))
}

/** With --atomic or --rollback-on-failure: what was there before is applied again. */
export const helmAtomic: Attempt = async (cluster, release) => {
  const isNew = release.to.filter((manifest) => !cluster.has(manifest))
  if (await helm(cluster, release)) return true
  await helm(cluster, { from: isNew, to: release.from })
  return false
}

/** Every object is deleted in the order of installation, whatever becomes of the ones before. */
export const helmUninstall: Attempt = (cluster, { from }) =>
  inTurn([...from].sort(byKind), (manifest) => cluster.delete(manifest, HELM), 'goes on')

/** What Git no longer has goes first, and a refusal ends the sync; then all is applied, kinds that it does not know by name. */
export const argoCd: Attempt = async (cluster, { from, to }) =>
  (await inTurn(gone(from, to), (manifest) => cluster.delete(manifest, ARGO_CD), 'goes on')) && argoApply(cluster, to)

/** With the sync option PruneLast=true. */
export const argoCdPruneLast: Attempt = async (cluster, { from, to }) =>
  (await argoApply(cluster, to)) && inTurn(gone(from, to), (manifest) => cluster.delete(manifest, ARGO_CD), 'goes on')

/** All is tried by dry runs first, and nothing applied where one is refused; then it stops at the first refusal, and deletes at last. */
export const flux: Attempt = async (cluster, { from, to }) => {
  const sorted = [...to].sort(byKind)
  return (
    (await inTurn(sorted, (manifest) => cluster.apply(manifest, FLUX, true), 'stops')) &&
    (await inTurn(sorted, (manifest) => cluster.apply(manifest, FLUX), 'stops')) &&
    inTurn(gone(from, to).sort(byKind).reverse(), (manifest) => cluster.delete(manifest, FLUX), 'goes on')
  )
}

function argoApply(cluster: Cluster, to: readonly Manifest[]): Promise<boolean> {
  const byName = (one: Manifest, other: Manifest) =>
    Math.min(rank(one), FIRST.length) - Math.min(rank(other), FIRST.length) || nameOf(one).localeCompare(nameOf(other))
  return inTurn([...to].sort(byName), (manifest) => cluster.apply(manifest, ARGO_CD), 'goes on')
}

/** A canary by subsets: what one reconcile of Argo Rollouts does, for as long as nothing is refused. */
export class Rollout {
  /** The template's hash; it may change on the way. */
  wanted: string
  readonly #cluster: Cluster
  readonly #steps: readonly number[]
  readonly #ruleFirst: boolean
  #stable: string
  #current: string
  #step = 0

  /** `ruleFirst`: as versions up to 1.8 do where a third release comes in the middle of the second. */
  constructor(cluster: Cluster, { stable, steps, ruleFirst = false }: { stable: string; steps: readonly number[]; ruleFirst?: boolean }) {
    this.#cluster = cluster
    this.#steps = steps
    this.#ruleFirst = ruleFirst
    this.#stable = stable
    this.#current = stable
    this.wanted = stable
  }

  static start(stable: string): Manifest[] {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('x'),
      spec: { selector: { app: 'x' }, ports: [{ name: 'http', port: 80 }] }
    }
    return [service, rolloutPod(stable, true), rolloutRule(stable, stable), rolloutRoutes(0)]
  }

  /** Weight that goes to the canary's subset. */
  weightIs(canary: number): boolean {
    return this.#cluster.holds(rolloutRoutes(canary))
  }

  /** Any error ends it before the ReplicaSets are scaled. True where the release is done. */
  async reconcile(): Promise<boolean> {
    const superseded = this.#current !== this.wanted && this.#current !== this.#stable
    if (superseded && !this.#ruleFirst && !(await this.#setWeight(0))) return false
    if (!(await this.#setHashes(this.#stable, this.wanted))) return false
    if (this.#current !== this.wanted) this.#step = 0
    this.#current = this.wanted
    const isReady = this.#cluster.isPodReady(`x-${this.wanted}`)
    if (!(await this.#setWeight(isReady ? (this.#steps[this.#step] ?? 100) : 0))) return false
    if (!isReady) {
      this.#cluster.set(rolloutPod(this.wanted, this.#cluster.has(rolloutPod(this.wanted, false))))
      return false
    }
    this.#step += 1
    return this.#step > this.#steps.length && this.#promote()
  }

  async #promote(): Promise<boolean> {
    if (!(await this.#setHashes(this.wanted, this.wanted)) || !(await this.#setWeight(0))) return false
    this.#stable = this.wanted
    return true
  }

  #setHashes(stable: string, canary: string): Promise<boolean> {
    return this.#cluster.apply(rolloutRule(stable, canary), ROLLOUTS)
  }

  #setWeight(canary: number): Promise<boolean> {
    return this.#cluster.apply(rolloutRoutes(canary), ROLLOUTS)
  }
}

const IN_MESH: Manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels: { 'istio-injection': 'enabled' } } }

/** What one interval of Flagger does; after a refusal it waits for the next. */
export class Canary {
  readonly #cluster: Cluster
  readonly #skipAnalysis: boolean
  #initialised = false
  #weight = 0

  constructor(cluster: Cluster, { skipAnalysis = false }: { skipAnalysis?: boolean } = {}) {
    this.#cluster = cluster
    this.#skipAnalysis = skipAnalysis
  }

  /** An app that serves through a Service of its name. */
  static start(): Manifest[] {
    return [IN_MESH, podinfoService('podinfo', 'podinfo'), podinfo('podinfo', 2)]
  }

  async initialise(): Promise<boolean> {
    const cluster = this.#cluster
    const services = [podinfoService('podinfo-canary', 'podinfo'), podinfoService('podinfo-primary', 'podinfo-primary')]
    if (!(await this.#all([...services, ...(cluster.has(PRIMARY) ? [] : [PRIMARY])]))) return false
    if (!this.#skipAnalysis && !cluster.isReady('podinfo-primary')) return false
    if (!(await this.#all([podinfoService('podinfo', 'podinfo-primary')]))) return false
    if (!(await cluster.scale('podinfo', 0, FLAGGER))) return false
    this.#initialised = await this.#all([podinfoRule('podinfo-canary'), podinfoRule('podinfo-primary'), podinfoRoutes(0)])
    return this.#initialised
  }

  /** To a new template of the target; true where it is promoted and the canary is gone. */
  async advance(maxWeight = 50): Promise<boolean> {
    if (!this.#initialised) throw new Error('not initialised')
    const cluster = this.#cluster
    if (this.#weight >= maxWeight)
      return (await this.#all([PRIMARY, podinfoRoutes(0)])) && cluster.isReady('podinfo-primary') && cluster.scale('podinfo', 0, FLAGGER)
    if (!cluster.isReady('podinfo')) {
      await cluster.scale('podinfo', 2, FLAGGER)
      return false
    }
    if (await this.#all([podinfoRoutes(this.#weight + 25)])) this.#weight += 25
    return false
  }

  /** A failed analysis: the weight and the canary go one right after the other. */
  async rollBack(): Promise<boolean> {
    this.#weight = 0
    return (await this.#all([podinfoRoutes(0)])) && this.#cluster.scale('podinfo', 0, FLAGGER)
  }

  #all(manifests: readonly Manifest[]): Promise<boolean> {
    return inTurn(manifests, (manifest) => this.#cluster.apply(manifest, FLAGGER), 'stops')
  }
}

const ISTIO = 'networking.istio.io/v1'
const PRIMARY = podinfo('podinfo-primary', 2)

function rolloutPod(hash: string, ready: boolean): Manifest {
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }]
  const labels = { app: 'x', 'rollouts-pod-template-hash': hash }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...meta(`x-${hash}`), labels }, status: { phase: 'Running', conditions } }
}

function rolloutRule(stable: string, canary: string): Manifest {
  const subset = (name: string, hash: string) => ({ name, labels: { app: 'x', 'rollouts-pod-template-hash': hash } })
  const spec = { host: 'x', subsets: [subset('canary', canary), subset('stable', stable)] }
  return { apiVersion: ISTIO, kind: 'DestinationRule', metadata: meta('x'), spec }
}

function rolloutRoutes(canary: number): Manifest {
  const to = (subset: string, weight: number) => ({ destination: { host: 'x', subset }, weight })
  const spec = { hosts: ['x'], http: [{ route: [to('stable', 100 - canary), to('canary', canary)] }] }
  return { apiVersion: ISTIO, kind: 'VirtualService', metadata: meta('x'), spec }
}

function podinfo(app: string, replicas: number): Manifest {
  const spec = { replicas, selector: { matchLabels: { app } }, template: { metadata: { labels: { app } } } }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta(app), spec }
}

function podinfoService(name: string, app: string): Manifest {
  return { apiVersion: 'v1', kind: 'Service', metadata: meta(name), spec: { selector: { app }, ports: [{ name: 'http', port: 80 }] } }
}

function podinfoRule(host: string): Manifest {
  return { apiVersion: ISTIO, kind: 'DestinationRule', metadata: meta(host), spec: { host, trafficPolicy: {} } }
}

function podinfoRoutes(canary: number): Manifest {
  const to = (host: string, weight: number) => ({ destination: { host }, weight })
  const spec = { hosts: ['podinfo'], http: [{ route: [to('podinfo-primary', 100 - canary), to('podinfo-canary', canary)] }] }
  return { apiVersion: ISTIO, kind: 'VirtualService', metadata: meta('podinfo'), spec }
}

function meta(name: string): Record<string, string> {
  return { name, namespace: 'default' }
}

function controller(namespace: string, account: string, manager: string): Author {
  return { username: `system:serviceaccount:${namespace}:${account}`, groups: [], manager }
}

const FIRST = ['Service', 'Deployment']

/** Helm and Flux order kinds alike as far as they are used here. */
function byKind(one: Manifest, other: Manifest): number {
  return rank(one) - rank(other) || one.kind.localeCompare(other.kind) || nameOf(one).localeCompare(nameOf(other))
}

function rank({ kind }: Manifest): number {
  const at = FIRST.indexOf(kind)
  return at === -1 ? FIRST.length : at
}

function nameOf({ metadata }: Manifest): string {
  return String(metadata['name'])
}

function gone(from: readonly Manifest[], to: readonly Manifest[]): Manifest[] {
  const kept = new Set(to.map((manifest) => `${manifest.kind} ${nameOf(manifest)}`))
  return from.filter((manifest) => !kept.has(`${manifest.kind} ${nameOf(manifest)}`))
}

/** True where none was refused. */
async function inTurn(
  manifests: readonly Manifest[],
  write: (manifest: Manifest) => Promise<boolean>,
  onRefusal: 'stops' | 'goes on'
): Promise<boolean> {
  let admitted = true
  for (const manifest of manifests) {
    if (await write(manifest)) continue
    if (onRefusal === 'stops') return false
    admitted = false
  }
  return admitted
}

function parsed(manifest: Manifest): MeshObject {
  const object = parseObject(manifest, DEFAULT_DOMAIN)
  if (object === null) throw new Error(`${manifest.kind} is not read`)
  return object
}

function saidBy(object: MeshObject): string {
  return JSON.stringify({ ...object, uid: '', resourceVersion: '', createdMs: 0 })
}
