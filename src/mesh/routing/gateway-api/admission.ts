/** Which namespaces may add to a Gateway. */
import type { Admission } from '../../../kinds/kubernetes-gateway.ts'
import { labelsOfNamespace, meets } from '../../names/labels.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'

/** A listener, or a Gateway for its ListenerSets, is open to objects of a namespace. */
export function admits(snapshot: Snapshot, { from, selector }: Admission, home: string, namespace: string): boolean {
  switch (from) {
    case 'All':
      return true
    case 'Same':
      return home === namespace
    case 'Selector':
      return meets(selector, labelsOfNamespace(namespace, snapshot.find('Namespace', '', namespace)?.labels))
    default:
      return false
  }
}
