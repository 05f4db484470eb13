/** Namespaces: who is there, and by which labels hitless acts in them. */
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface Namespace extends Identity {
  readonly kind: 'Namespace'
}

export const namespaces = defineKind<Namespace, never>({
  kind: 'Namespace',
  api: { group: '', versions: ['v1'], plural: 'namespaces', namespaced: false },
  judged: true,
  parse: ({ status }, identity) => ({
    kind: 'Namespace',
    ...identity,
    deleting: identity.deleting || status.string('phase') === 'Terminating'
  }),
  indexes: {},
  // Listeners, grants and modes go by them.
  decides: ({ labels }) => labels,
  isEntrance: true,
  audited: 'discovery'
})
