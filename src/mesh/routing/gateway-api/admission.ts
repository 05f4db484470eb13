/** Which namespaces may add to a Gateway. */
import type { Admission, Requirement } from '../../../kinds/kubernetes-gateway.ts'
import { type Labels, selects } from '../../names/labels.ts'
import { own } from '../../names/own.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'

const NAME = 'kubernetes.io/metadata.name'

/** A listener, or a Gateway for its ListenerSets, is open to objects of a namespace. */
export function admits(snapshot: Snapshot, admission: Admission, home: string, namespace: string): boolean {
  switch (admission.from) {
    case 'All':
      return true
    case 'Same':
      return home === namespace
    case 'Selector': {
      const labels = { ...snapshot.find('Namespace', '', namespace)?.labels, [NAME]: namespace }
      return selects(admission.matchLabels, labels) && admission.matchExpressions.every((each) => isMet(each, labels))
    }
    default:
      return false
  }
}

function isMet({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = own(labels, key)
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return false
  }
}
