/** The limits of what is denied (docs/architecture.md): why a gap that a change opens is only warned of. */
import { isRouteKind, isSameRef, isWorkloadKind, type ObjectRef } from '../kinds/index.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { answers } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { own } from '../mesh/names/own.ts'
import { sourcesOf } from '../mesh/routing/tables.ts'
import { takesPartBy } from '../mesh/snapshot/injection.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Excuse } from '../rules/rule.ts'
import type { Judgement } from './judgement.ts'
import type { Policy } from './policy.ts'

/** Why this gap is no reason to refuse the change; null where it is one. `off`: it is not even told. */
export function excuseOf(judgement: Judgement, { plainHosts }: Policy, gap: Gap): Excuse | 'off' | null {
  if (isRetired(judgement, gap)) return 'retired'
  if (isMoved(judgement, gap)) return 'moved'
  if (!isPlain(judgement, gap)) return null
  if (isLeftToKnative(judgement.before, gap.host)) return 'off'
  if (plainHosts !== 'auto') return plainHosts === 'deny' ? null : plainHosts === 'warn' ? 'plain-host' : 'off'
  const { ref } = judgement.change
  if (ref.kind === 'Pod' || isWorkloadKind(ref.kind)) return 'plain-host'
  return ref.kind === 'Service' && !isInMesh(judgement.before, ref) ? 'plain-host' : null
}

/** The last route object of a host at a gateway is deleted, or one of several whose lost requests were those of its own explicit conditions. */
function isRetired({ change }: Judgement, { context, source, servedBy }: Gap): boolean {
  if (change.operation !== 'DELETE' || !isRouteKind(change.ref.kind) || context.kind !== 'gateway') return false
  if (source === null) return true
  return servedBy !== null && !servedBy.isFallback && isSameRef(servedBy.source, change.ref)
}

/** The host leaves one gateway while another, that has Pods, answers the same requests as it did before. */
function isMoved({ change, before, after, targets }: Judgement, gap: Gap): boolean {
  if (change.operation !== 'UPDATE' || !isRouteKind(change.ref.kind) || gap.context.kind !== 'gateway') return false
  if (gap.cause !== 'no-virtual-host' && gap.cause !== 'no-listener') return false
  return targets.some(
    (target) =>
      target.host === gap.host &&
      target.context.kind === 'gateway' &&
      target.context !== gap.context &&
      [...after.podsAnywhere(target.context.labels)].length > 0 &&
      answers(before, target, gap.requestClass) &&
      answers(after, target, gap.requestClass)
  )
}

/** A host that no route object touches: Istio's default route, before and after. */
function isPlain({ before, after }: Judgement, { context, host, source, servedBy }: Gap): boolean {
  const isNamed = (snapshot: Snapshot) => [...snapshot.lookup('virtualServiceByHost', host)].length > 0
  const isDefault = source === null && servedBy !== null && servedBy.source === null
  return context.kind === 'mesh' && isDefault && !isNamed(before) && !isNamed(after)
}

/**
 * The Service of one revision's Pods alone, behind the public one: where it has none, Knative's activator takes the requests and starts one.
 * knative/serving pkg/reconciler/serverlessservice/resources/services.go.
 */
function isLeftToKnative(snapshot: Snapshot, host: string): boolean {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  return own(service?.labels ?? {}, 'networking.internal.knative.dev/serviceType') === 'Private'
}

/** The namespace is labelled for injection or ambient mode, its Pods carry a sidecar, or somebody wrote routes or rules there. */
export function isInMesh(snapshot: Snapshot, service: Pick<ObjectRef, 'namespace' | 'name'>): boolean {
  if (takesPartBy(snapshot.find('Namespace', '', service.namespace)?.labels ?? {})) return true
  for (const _ of meshSigns(snapshot, service)) return true
  return false
}

/** One object of each sort, beside the namespace, by which a Service counts as one of the mesh. */
export function* meshSigns(snapshot: Snapshot, { namespace, name }: Pick<ObjectRef, 'namespace' | 'name'>): Iterable<ObjectRef> {
  const service = snapshot.find('Service', namespace, name)
  if (service === undefined) return
  const { host, selector } = service
  for (const rule of snapshot.lookup('destinationRuleByHost', host)) {
    yield rule
    break
  }
  for (const route of snapshot.lookup('routeObjectByNamespace', namespace)) {
    yield* sourcesOf(route)
    break
  }
  const pod = selector === null ? undefined : podsSelected(snapshot, namespace, selector).find(({ hasSidecar }) => hasSidecar === true)
  if (pod !== undefined) yield pod
}
