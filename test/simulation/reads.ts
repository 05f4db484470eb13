/** Reads as kube-apiserver answers them: by name from etcd, and lists that hold all that was written before (KEP-2340), in pages. */
import { type Kind, kindModule } from '../../src/kinds/index.ts'
import { type Answer, failure, type Place, qualified } from './request.ts'
import type { Manifest, Store } from './store.ts'

const EXPIRED = 'The provided continue parameter is too old to display a consistent list result.'

export class Reads {
  readonly #store: Store
  readonly #pageLimit: number
  /** The rest of each list that was begun, by its token. */
  readonly #rests = new Map<string, { readonly items: readonly Manifest[]; readonly revision: number }>()
  #tokens = 0

  /** A page holds at most `pageLimit` objects, whatever was asked for. */
  constructor(store: Store, pageLimit: number) {
    this.#store = store
    this.#pageLimit = pageLimit
  }

  get(place: Place & { readonly name: string }): Answer {
    const { kind, namespace, name } = place
    const found = this.#store.find(kind, namespace ?? '', name)
    return found === null ? notFound(kind, name) : { status: 200, body: found, warnings: [] }
  }

  list(place: Place, metadataOnly: boolean): Answer {
    const token = place.query.get('continue')
    const rest = token === null ? this.#begin(place) : this.#rests.get(token)
    if (rest === undefined || rest.revision < this.#store.compacted) return failure(410, 'Expired', EXPIRED)
    if (token !== null) this.#rests.delete(token)
    const limit = Math.min(Number(place.query.get('limit') ?? Number.POSITIVE_INFINITY), this.#pageLimit)
    const metadata = { resourceVersion: String(rest.revision), ...this.#continued(rest, limit) }
    const items = rest.items.slice(0, limit).map((item) => (metadataOnly ? { metadata: item.metadata } : item))
    return { status: 200, body: { kind: `${place.kind}List`, apiVersion: versionOf(place.kind), metadata, items }, warnings: [] }
  }

  #begin({ kind, namespace, query }: Place): { items: Manifest[]; revision: number } {
    const items = this.#store.list(kind, namespace).filter((object) => isSelected(object, query))
    return { items, revision: this.#store.revision }
  }

  #continued({ items, revision }: { readonly items: readonly Manifest[]; readonly revision: number }, limit: number) {
    if (items.length <= limit) return {}
    const token = `token-${++this.#tokens}`
    this.#rests.set(token, { items: items.slice(limit), revision })
    return { continue: token }
  }
}

export function versionOf(kind: Kind): string {
  const { group, versions } = kindModule(kind).api
  return group === '' ? `${versions[0]}` : `${group}/${versions[0]}`
}

export function notFound(kind: Kind, name: string): Answer {
  return failure(404, 'NotFound', `${qualified(kind, name)} not found`)
}

/** By `a=b,c=d` on labels, and by the field selector that leaves out Pods that have ended. */
export function isSelected({ metadata, ...rest }: Manifest, query: URLSearchParams): boolean {
  const labels = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '')
  const phase = (rest['status'] as { phase?: unknown } | undefined)?.phase
  const isPhase = (term: string) => term === `status.phase!=${phase}`
  return (
    labels.every((term) => {
      const [key = '', value] = term.split('=')
      return metadata.labels?.[key] === value
    }) && !(query.get('fieldSelector') ?? '').split(',').some(isPhase)
  )
}
