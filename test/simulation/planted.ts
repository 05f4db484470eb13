/** Faults as hitless could have them, planted in every replica: what does not find them proves nothing. */

import type { Readable } from 'node:stream'
import type { Kind, MeshObject, ObjectOf, ObjectRef } from '../../src/kinds/index.ts'
import type { Transport } from '../../src/kubernetes/connection.ts'
import { selects } from '../../src/mesh/names/labels.ts'
import { overlay, type Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import type { ListQuery, State } from '../../src/mesh/snapshot/state.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'

export interface Planted {
  readonly state?: (state: State) => State
  readonly transport?: (transport: Transport) => Transport
}

/** Judges on the cache alone, however late its watches are. */
export function readsNothing(state: State): State {
  return changed(state, {
    facts: {
      read: async (ref) => state.snapshot().find(ref.kind, ref.namespace, ref.name) ?? null,
      list: async (query) => cached(state.snapshot(), query)
    }
  })
}

/** Believes a watch that has shown an object once: only what it never showed is read. */
export function readsOnlyTheUnseen(state: State): State {
  return changed(state, {
    facts: {
      read: async (ref, signal) => state.snapshot().find(ref.kind, ref.namespace, ref.name) ?? state.facts.read(ref, signal),
      list: (query, signal) => state.facts.list(query, signal)
    }
  })
}

/** Reads by name, and takes from the cache what only a list can tell. */
export function listsFromTheCache(state: State): State {
  return changed(state, {
    facts: {
      read: (ref, signal) => state.facts.read(ref, signal),
      list: async (query) => cached(state.snapshot(), query)
    }
  })
}

/** Takes every write that it admitted for made, whatever anybody else says. */
export function believesItself(state: State): State {
  const own = new Map<string, Write>()
  const snapshot = () => {
    const writes = [...own.values()]
    return overlay(state.snapshot(), { removed: writes.map(({ ref }) => ref), added: writes.flatMap(({ after }) => after ?? []) })
  }
  return changed(state, {
    snapshot,
    admitted: (write) => {
      own.set(keyOf(write.ref), write)
      state.admitted(write)
    },
    facts: {
      read: async <K extends Kind>(ref: ObjectRef & { readonly kind: K }, signal: AbortSignal) => {
        const write = own.get(keyOf(ref))
        return write === undefined ? state.facts.read(ref, signal) : (write.after as ObjectOf<K> | null)
      },
      list: (query, signal) => state.facts.list(query, signal)
    }
  })
}

/** Forgets each write as soon as it has admitted it. */
export function forgetsItself(state: State): State {
  return changed(state, { pending: () => [] })
}

/** Waits for ever for what a read by name finds. */
export function readsWithoutEnd(state: State): State {
  const never = new Promise<never>(() => undefined)
  return changed(state, { facts: { read: () => never, list: (query, signal) => state.facts.list(query, signal) } })
}

/** Is never told of what a watch says is gone. */
export function deafToDeletions(transport: Transport): Transport {
  return {
    request: async (options) => {
      const answer = await transport.request(options)
      if (!options.path.includes('watch=true')) return answer
      const body = answer.body.compose(async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) if (!String(chunk).startsWith('{"type":"DELETED"')) yield chunk
      })
      return { ...answer, body: body as Readable }
    },
    close: () => transport.close(),
    destroy: () => transport.destroy()
  }
}

function changed(state: State, part: Partial<State>): State {
  return {
    snapshot: () => state.snapshot(),
    facts: state.facts,
    admitted: (write) => state.admitted(write),
    pending: () => state.pending(),
    health: () => state.health(),
    ...part
  }
}

function cached<K extends Kind>(snapshot: Snapshot, { kind, namespace, selector }: ListQuery & { readonly kind: K }): ObjectOf<K>[] {
  return [...snapshot.all<K>(kind)].filter(
    (object: MeshObject) =>
      (namespace === null || object.namespace === namespace) && (selector === null || selects(selector, object.labels))
  )
}

function keyOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace}/${name}`
}
