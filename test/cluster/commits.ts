/** Every state that a cluster went through, rebuilt from watches: one etcd numbers the commits of all kinds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kind, kindModule, parseAs, WATCHED_KINDS } from '../../src/kinds/index.ts'
import { DEFAULT_SETTINGS } from '../../src/mesh/snapshot/settings.ts'
import { World } from '../../src/mesh/snapshot/snapshot.ts'
import { audit } from '../../src/review/audit.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import type { Api, KubernetesObject } from '../rig/api.ts'

interface Commit {
  readonly revision: number
  readonly type: string
  readonly kind: Kind
  readonly raw: KubernetesObject
}

/** A gap that was not there at the commit before. */
export interface OpenedGap {
  readonly revision: number
  readonly namespace: string
  /** `MODIFIED VirtualService shop/web`. */
  readonly commit: string
  /** `503 for 20% of web.shop.svc.cluster.local: no-endpoints`. */
  readonly gap: string
}

export class Commits {
  readonly #commits: Commit[] = []
  readonly #ended = new AbortController()
  readonly #following: Promise<void>[] = []

  /** Follows every kind that hitless does, as far as the API server has it. */
  static async follow(api: Api): Promise<Commits> {
    const commits = new Commits()
    for (const kind of WATCHED_KINDS) {
      const path = await pathOf(api, kind)
      if (path !== null) commits.#following.push(commits.#follow(api, kind, path))
    }
    return commits
  }

  /** The newest commit that was seen. */
  get revision(): number {
    return Math.max(0, ...this.#commits.map(({ revision }) => revision))
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.all(this.#following)
  }

  /** Those opened in a namespace after a commit, in the order of the commits. */
  gapsAfter(revision: number, namespace: string): OpenedGap[] {
    const world = new World()
    const opened: OpenedGap[] = []
    let known = new Set<string>()
    const ours = this.#commits.filter(({ raw }) => (raw.metadata.namespace ?? namespace) === namespace)
    for (const commit of ours.sort((one, other) => one.revision - other.revision)) {
      const object = parseAs(commit.kind, commit.raw, DEFAULT_SETTINGS.domain)
      if (commit.type === 'DELETED') world.delete(object)
      else world.set(object)
      const { gaps } = audit(world, DEFAULT_POLICY)
      const told = new Set(gaps.map(({ gap }) => `${gap.status} for ${Math.round(gap.share * 100)}% of ${gap.host}: ${gap.cause}`))
      if (commit.revision > revision) {
        const what = `${commit.type} ${object.kind} ${object.namespace}/${object.name}`
        for (const gap of told) if (!known.has(gap)) opened.push({ revision: commit.revision, namespace, commit: what, gap })
      }
      known = told
    }
    return opened
  }

  async #follow(api: Api, kind: Kind, path: string): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      try {
        for await (const { type, object } of api.watch(path, signal)) {
          if (type === 'ERROR') throw new Error(JSON.stringify(object))
          this.#commits.push({ revision: Number(object.metadata.resourceVersion), type, kind, raw: object })
        }
        throw new Error(`the watch of ${path} ended`)
      } catch (error) {
        // A kind that was installed just now is not watched yet. A stream that was open and ended may have missed something.
        if (signal.aborted) return
        if (!String(error).includes('was answered with 429')) throw error
        await sleep(200)
      }
    }
  }
}

async function pathOf(api: Api, kind: Kind): Promise<string | null> {
  const { group, versions, plural } = kindModule(kind).api
  const root = group === '' ? `/api/${versions[0]}` : `/apis/${group}/${versions[0]}`
  const { body } = await api.request<{ resources?: readonly { readonly name: string }[] }>('GET', root)
  return body.resources?.some(({ name }) => name === plural) === true ? `${root}/${plural}` : null
}
