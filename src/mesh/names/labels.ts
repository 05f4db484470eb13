import { own } from './own.ts'

export type Labels = Readonly<Record<string, string>>

/** Every pair of `selector` stands in `labels`. An empty selector selects everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const key in selector) if (own(labels, key) !== selector[key]) return false
  return true
}

/** Labels, and requirements of them. One that asks for nothing selects everything. */
export interface LabelSelector {
  readonly matchLabels: Labels
  readonly matchExpressions: readonly Requirement[]
}

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values: readonly string[]
}

export function meets({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  return selects(matchLabels, labels) && matchExpressions.every((each) => isMet(each, labels))
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

/** The labels of a namespace: the API server adds its name. */
export function labelsOfNamespace(name: string, labels: Labels = {}): Labels {
  return { ...labels, 'kubernetes.io/metadata.name': name }
}

/** Both selectors can be met by one set of labels: they name no common key with different values. */
export function compatible(one: Labels, other: Labels): boolean {
  for (const key in one) if (Object.hasOwn(other, key) && one[key] !== other[key]) return false
  return true
}

export function sameLabels(one: Labels, other: Labels): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && selects(one, other)
}

/** What Kubernetes and its controllers make different in each Pod or ReplicaSet; Istio decides nothing by it. */
const OWN_TO_PODS = [
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index'
]
export function withoutOwn(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !OWN_TO_PODS.includes(key)))
}

/** The keys of labels in an index: `namespace/key=value` for each pair. */
export function labelKeys(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${namespace}/${key}=${value}`)
}

/** The first of the keys of a selector; none for a selector that is absent or empty. Whatever a selector takes stands under each of its keys. */
export function selectorKey(namespace: string, selector: Labels | null): string[] {
  return labelKeys(namespace, selector ?? {})
    .sort()
    .slice(0, 1)
}
