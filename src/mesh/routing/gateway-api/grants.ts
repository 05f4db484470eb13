/** ReferenceGrants: whether an object may name one of another namespace. `buildDestination`, pilot/pkg/config/kube/gateway/conversion.go. */
import type { Snapshot } from '../../snapshot/snapshot.ts'

interface Referrer {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}

interface Referent extends Referrer {
  readonly name: string
}

export function isGranted(snapshot: Snapshot, by: Referrer, to: Referent): boolean {
  if (by.namespace === to.namespace) return true
  for (const grant of snapshot.lookup('grantByNamespace', to.namespace)) {
    snapshot.charge(grant.from.length + grant.to.length)
    const isFrom = grant.from.some(({ group, kind, namespace }) => group === by.group && kind === by.kind && namespace === by.namespace)
    if (isFrom && grant.to.some(({ group, kind, name }) => group === to.group && kind === to.kind && (name === '' || name === to.name)))
      return true
  }
  return false
}
