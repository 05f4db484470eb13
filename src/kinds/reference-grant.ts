/** ReferenceGrants: what objects of other namespaces may name here. */
import type { Fields } from './fields.ts'
import { gatewayApi } from './gateway-api.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface ReferenceGrant extends Identity {
  readonly kind: 'ReferenceGrant'
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[]
  /** `name` '' is every one. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name: string }[]
}

export const referenceGrants = defineKind({
  kind: 'ReferenceGrant',
  api: gatewayApi('referencegrants', ['v1', 'v1beta1']),
  judged: true,
  parse: ({ spec }, identity): ReferenceGrant => {
    const groupAndKind = (fields: Fields) => ({ group: fields.string('group'), kind: fields.string('kind') })
    return {
      kind: 'ReferenceGrant',
      ...identity,
      from: spec.each('from', (from) => ({ ...groupAndKind(from), namespace: from.string('namespace') })),
      to: spec.each('to', (to) => ({ ...groupAndKind(to), name: to.string('name') }))
    }
  },
  indexes: { grantByNamespace: ({ namespace }) => [namespace] },
  takesAway: (before) => before !== null
})
