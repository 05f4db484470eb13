/** What of a changed Service takes an answer away. */
import type { Service } from '../kinds/service.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import type { Subject } from './rule.ts'

export type ServiceChange = 'selector' | 'port' | 'hidden'

/** The part of an updated Service that a gap comes of; null where the write is no update. */
export function changeBehind({ before, after }: Subject<'Service'>, gap: Gap): ServiceChange | null {
  if (before === null || after === null) return null
  if (gap.cause === 'closed') return 'port'
  if (isHidden(before, after) && gap.cause !== 'no-endpoints' && gap.cause !== 'port') return 'hidden'
  const reselected = !sameLabels(before.selector ?? {}, after.selector ?? {})
  const isEmpty = gap.cause === 'no-endpoints' || gap.cause === 'no-address'
  // What it stood for answered, and now its own Pods have to.
  if (isEmpty && before.externalName !== null && after.externalName === null) return 'selector'
  if (reselected && isEmpty && !renamesTarget(before, after, gap)) return 'selector'
  return isHidden(before, after) && samePorts(before, after) ? 'hidden' : 'port'
}

function isHidden(before: Service, after: Service): boolean {
  return before.externalName !== after.externalName || before.exportTo.join() !== after.exportTo.join()
}

function samePorts(before: Service, after: Service): boolean {
  return JSON.stringify(before.ports) === JSON.stringify(after.ports)
}

/** The port's target became another name or number. */
function renamesTarget(before: Service, after: Service, { destination }: Gap): boolean {
  const target = ({ ports }: Service) => ports.find(({ port }) => port === destination?.port)?.targetPort
  return target(before) !== target(after)
}
