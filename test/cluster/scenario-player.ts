/** Plays a scenario file on a real API server, each write as the tool that its manager names would make it. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import { GATEWAY_API } from '../../src/kinds/gateway-api.ts'
import { kindModule, kindOf } from '../../src/kinds/index.ts'
import type { Scenario } from '../../src/sandbox/scenario.ts'
import type { ControlPlane } from '../rig/control-plane.ts'

/** What became of a write, as its writer saw it. */
export interface Answered {
  readonly what: string
  readonly verdict: 'allow' | 'warn' | 'deny'
  /** Ids of the rules that the texts name. */
  readonly rules: readonly string[]
  readonly text: string
}

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly spec?: Fields
  readonly status?: Fields
  readonly [field: string]: unknown
}

interface Fields {
  readonly [field: string]: unknown
}

interface Client {
  readonly username: string
  readonly manager: string
}

interface Response {
  readonly refused: boolean
  readonly text: string
}

/** Its writes are always admitted: by it, a scenario's start state comes about. */
export const STATE_WRITER = 'system:serviceaccount:kube-system:namespace-controller'
const UNIT = 'unit'
const MERGE = 'application/merge-patch+json'

/** What of a scenario this cluster cannot give; null for nothing. */
export function whyUnplayable({ config, as, writes, state = [] }: Scenario): string | null {
  if (config !== undefined) return 'config'
  if (writes.some(({ apply }) => isObject(apply) && String(apply['apiVersion']).startsWith(GATEWAY_API)))
    return 'no istiod, which deploys Gateways'
  if ([as, ...writes.map((write) => write.as)].some((author) => author?.groups !== undefined)) return 'groups'
  if (writes.some(({ scale, ready }) => ![undefined, 'Deployment'].includes(scale?.kind ?? ready?.kind))) return 'kinds'
  const objects = [...state, ...writes.flatMap(({ apply, set }) => [apply, set])].filter(isObject) as unknown as Manifest[]
  const named = [
    ...objects.map(({ metadata }) => metadata),
    ...writes.flatMap((write) => [write.delete, write.scale, write.ready, write.unset])
  ]
  return named.some((each) => each?.namespace !== undefined && each.namespace !== 'default') ? 'namespaces' : null
}

export class ScenarioPlayer {
  readonly #plane: ControlPlane
  readonly #namespace: string
  readonly #scenario: Scenario
  /** What a tool applied last: it patches the difference to that. */
  readonly #applied = new Map<string, Manifest>()
  readonly #held = new Map<string, () => void>()

  constructor(plane: ControlPlane, scenario: Scenario, namespace: string) {
    const why = whyUnplayable(scenario)
    if (why !== null) throw new Error(`${scenario.name} cannot be played here: it has ${why}`)
    this.#plane = plane
    this.#scenario = scenario
    this.#namespace = namespace
  }

  async play(): Promise<Answered[]> {
    const given = (this.#scenario.state ?? []).flatMap((entry) => this.#manifests(entry))
    const labels = given.find(({ kind }) => kind === 'Namespace')?.metadata.labels ?? {}
    const metadata = { name: this.#namespace, labels }
    await this.#must('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata })
    const state = given.filter(({ kind }) => kind !== 'Namespace')
    for (const manifest of state) await this.#set(manifest)
    for (const { kind, metadata } of state) if (kind === 'Deployment') await this.#untilReady(metadata.name)
    const answered: Answered[] = []
    for (const write of this.#scenario.writes) {
      const answer = await this.#write(write)
      if (answer !== null) answered.push(answer)
    }
    return answered
  }

  /** An entry is a manifest, or the name of a folder of them. */
  #manifests(entry: unknown): Manifest[] {
    const folder = typeof entry === 'string' ? join(dirname(this.#scenario.file), entry) : null
    const files = folder === null ? [] : readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
    const read = folder === null ? [entry] : files.flatMap((text) => loadAll(text))
    return read as Manifest[]
  }

  async #write(write: Scenario['writes'][number]): Promise<Answered | null> {
    const client: Client = { username: 'alice', manager: 'kubectl-client-side-apply', ...this.#scenario.as, ...write.as }
    if (write.set !== undefined) await this.#set(write.set as Manifest)
    else if (write.unset !== undefined) await this.#unset(write.unset)
    else if (write.ready !== undefined) await this.#ready(write.ready.name)
    else if (write.apply !== undefined) return this.#apply(write.apply as Manifest, client, write.dryRun === true)
    else if (write.scale !== undefined) return this.#scale(write.scale, client)
    else if (write.delete !== undefined) return this.#delete(write.delete, client)
    return null
  }

  /** A Pod that a ReplicaSet of somebody else's made, or an object as it stands already. */
  async #set(manifest: Manifest): Promise<void> {
    const object = this.#complete(manifest)
    const { name } = object.metadata
    const conditions = (manifest.status?.['conditions'] ?? []) as { type: string; status: string }[]
    const unready = manifest.kind === 'Pod' && !conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
    const noReplicas = Number((manifest.status as { readyReplicas?: number } | undefined)?.readyReplicas ?? 1) === 0
    if (unready || noReplicas) this.#hold(name)
    else this.#release(name)
    const path = this.#path(object)
    const { status } = await this.#plane.api.request('GET', path)
    if (status === 404) await this.#must('POST', this.#collection(object), object)
    else if (manifest.kind !== 'Pod') await this.#must('PATCH', path, patchFrom(this.#applied.get(path), object))
    else if (!unready) this.#release(name)
    this.#applied.set(path, object)
    if (manifest.kind === 'Pod' && !unready) await this.#untilPodReady(path)
  }

  async #unset({ apiVersion, kind, name }: { apiVersion: string; kind: string; name: string }): Promise<void> {
    const path = this.#path({ apiVersion, kind, metadata: { name } })
    await this.#must('DELETE', `${path}?gracePeriodSeconds=0`)
    while ((await this.#plane.api.request('GET', path)).status !== 404) await sleep(20)
  }

  async #ready(name: string): Promise<void> {
    this.#release(name)
    await this.#untilReady(name)
  }

  async #apply(manifest: Manifest, client: Client, dryRun: boolean): Promise<Answered> {
    const object = this.#complete(manifest)
    const path = this.#path(object)
    const { status, body: live } = await this.#plane.api.request<Manifest>('GET', path)
    const isNew = status === 404
    if (isNew && object.kind === 'Deployment') this.#hold(object.metadata.name)
    const response = client.manager.startsWith('kubectl')
      ? await this.#kubectl(['apply', ...(dryRun ? ['--dry-run=server'] : []), '-f', '-'], client, object)
      : await this.#request(object, isNew ? null : live, client, dryRun)
    if (!response.refused && !dryRun) this.#applied.set(path, object)
    return answered(`apply ${object.kind} ${object.metadata.name}`, response)
  }

  /** Flux applies on the server's side; Helm and Argo CD patch what differs from what they applied last; controllers put the whole object. */
  async #request(object: Manifest, live: Manifest | null, { username, manager }: Client, dryRun: boolean): Promise<Response> {
    const path = this.#path(object)
    const query = `?fieldManager=${manager}${dryRun ? '&dryRun=All' : ''}`
    const common = { as: username, userAgent: manager }
    if (manager === 'kustomize-controller') {
      const applied = { ...common, body: object, contentType: 'application/apply-patch+yaml' }
      return said(await this.#plane.api.request('PATCH', `${path}${query}&force=true`, applied))
    }
    if (live === null)
      return said(await this.#plane.api.request('POST', `${this.#collection(object)}${query}`, { ...common, body: object }))
    if (manager === 'helm' || manager === 'argocd-controller') {
      const body = patchFrom(this.#applied.get(path), object)
      return said(await this.#plane.api.request('PATCH', `${path}${query}`, { ...common, body, contentType: MERGE }))
    }
    return this.#put(object, live, `${path}${query}`, common)
  }

  /** With the resourceVersion that was read, and again where somebody wrote in between. */
  async #put(
    object: Manifest,
    live: Manifest,
    path: string,
    common: { readonly as: string; readonly userAgent: string }
  ): Promise<Response> {
    // The rest of a Service's spec was given by the server, and a controller writes it back.
    const spec = object.kind === 'Service' ? { ...live.spec, ...object.spec } : object.spec
    const body = { ...live, metadata: { ...live.metadata, ...object.metadata }, spec }
    const answer = await this.#plane.api.request('PUT', path, { ...common, body })
    if (answer.status !== 409) return said(answer)
    const { body: newer } = await this.#plane.api.request<Manifest>('GET', this.#path(object))
    return this.#put(object, newer, path, common)
  }

  async #scale({ name, replicas }: { name: string; replicas: number }, client: Client): Promise<Answered> {
    if (replicas > 0) this.#hold(name)
    const what = `scale ${name} to ${replicas}`
    if (client.manager.startsWith('kubectl')) {
      return answered(what, await this.#kubectl(['scale', `deployment/${name}`, `--replicas=${replicas}`], client))
    }
    // As Flagger does: not by the subresource, which HPAs and kubectl use.
    const path = this.#path({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } })
    const patch = { as: client.username, body: { spec: { replicas } }, contentType: MERGE }
    const target = client.manager === 'flagger' ? path : `${path}/scale`
    return answered(what, said(await this.#plane.api.request('PATCH', target, patch)))
  }

  async #delete({ apiVersion, kind, name }: { apiVersion: string; kind: string; name: string }, client: Client): Promise<Answered> {
    const what = `delete ${kind} ${name}`
    const resource = `${kindModule(kindOf(apiVersion, kind) ?? 'Pod').api.plural}/${name}`
    if (client.manager.startsWith('kubectl')) return answered(what, await this.#kubectl(['delete', resource, '--wait=false'], client))
    const path = this.#path({ apiVersion, kind, metadata: { name } })
    return answered(what, said(await this.#plane.api.request('DELETE', path, { as: client.username })))
  }

  async #kubectl(args: readonly string[], { username }: Client, object?: Manifest): Promise<Response> {
    const options = object === undefined ? {} : { input: JSON.stringify(object) }
    const { code, stdout, stderr } = await this.#plane.kubectl([...args, '-n', this.#namespace, `--as=${username}`], options)
    return { refused: code !== 0, text: `${stdout}${stderr}` }
  }

  /** What a scenario leaves out and the API server asks for; and a label that tells whose Pods they are. */
  #complete(manifest: Manifest): Manifest {
    const { status: _, ...rest } = JSON.parse(JSON.stringify(manifest).replaceAll('.default.svc.', `.${this.#namespace}.svc.`)) as Manifest
    const { name } = manifest.metadata
    const metadata = { ...rest.metadata, namespace: this.#namespace }
    const containers = [{ name: 'app', image: 'example/app' }]
    if (manifest.kind === 'Pod') {
      return { ...rest, metadata: { ...metadata, labels: { ...metadata.labels, [UNIT]: name } }, spec: { containers } }
    }
    if (manifest.kind !== 'Deployment') return { ...rest, metadata }
    const template = rest.spec?.['template'] as { metadata?: { labels?: Record<string, string> }; spec?: Fields }
    const labels = { ...template.metadata?.labels, [UNIT]: name }
    const spec = { containers, ...template.spec }
    return {
      ...rest,
      metadata,
      // What a scenario changes is not in the selector, which cannot change.
      spec: { ...rest.spec, selector: { matchLabels: { [UNIT]: name } }, template: { metadata: { ...template.metadata, labels }, spec } }
    }
  }

  #hold(name: string): void {
    if (this.#held.has(name)) return
    this.#held.set(name, this.#plane.holdUnready({ namespace: this.#namespace, labels: { [UNIT]: name } }))
  }

  #release(name: string): void {
    this.#held.get(name)?.()
    this.#held.delete(name)
  }

  async #untilReady(name: string): Promise<void> {
    if (this.#held.has(name)) return
    const { code, stderr } = await this.#plane.kubectl([
      ...['rollout', 'status', `deployment/${name}`, '-n', this.#namespace, '--timeout=60s']
    ])
    if (code !== 0) throw new Error(stderr)
  }

  async #untilPodReady(path: string): Promise<void> {
    for (;;) {
      const { body } = await this.#plane.api.request<{ status?: { conditions?: { type: string; status: string }[] } }>('GET', path)
      if (body.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) return
      await sleep(20)
    }
  }

  #collection({ apiVersion, kind }: Pick<Manifest, 'apiVersion' | 'kind'>): string {
    const api = kindModule(kindOf(apiVersion, kind) ?? 'Pod').api
    return `/${api.group === '' ? 'api' : 'apis'}/${apiVersion}/namespaces/${this.#namespace}/${api.plural}`
  }

  #path(object: Pick<Manifest, 'apiVersion' | 'kind' | 'metadata'>): string {
    return `${this.#collection(object)}/${object.metadata.name}`
  }

  async #must(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<void> {
    const options = { as: STATE_WRITER, ...(body === undefined ? {} : { body }), ...(method === 'PATCH' ? { contentType: MERGE } : {}) }
    const { status, body: answer } = await this.#plane.api.request(method, path, options)
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  }
}

function said({ status, body, warnings }: { status: number; body: unknown; warnings: readonly string[] }): Response {
  const { message = '' } = status >= 300 ? (body as { message?: string }) : {}
  return { refused: status >= 300, text: [...warnings.map((warning) => `Warning: ${warning}`), message].join('\n') }
}

/** A write that failed for any other reason than a denial is no verdict. */
function answered(what: string, { refused, text }: Response): Answered {
  if (refused && !text.includes('denied the request: hitless:')) throw new Error(`${what} failed: ${text}`)
  const rules = [...new Set([...text.matchAll(/\[([a-z-]+)\]/g)].map(([, rule = '']) => rule))]
  return { what, verdict: refused ? 'deny' : text.includes('Warning: [') ? 'warn' : 'allow', rules, text }
}

/** RFC 7386, from what was applied last: what has gone from it is taken away, what others added stays. */
function patchFrom(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return after
  const gone = Object.keys(before).filter((key) => !(key in after))
  const kept = Object.entries(after).map(([key, value]) => [key, patchFrom(before[key], value)])
  return Object.fromEntries([...gone.map((key) => [key, null]), ...kept])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
