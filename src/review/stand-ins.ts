/**
 * Gateways that a VirtualService names and that are not known: in files they are often kept elsewhere. One that takes every host stands in for each,
 * so that what is wrong in any state - no fallback, an undefined subset - is seen all the same. Nothing counts as served through it.
 */

import type { Gateway } from '../kinds/gateway.ts'
import { type MeshObject, parseAs } from '../kinds/index.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { GATEWAY_LABEL } from '../rules/wording.ts'

/** What is wrong in any state shows at the first of them; more would cost a look at each for each. */
const MOST_STAND_INS = 64

export function standIns(object: MeshObject | null, snapshot: Snapshot): Gateway[] {
  if (object?.kind !== 'VirtualService' || !snapshot.knows('Gateway')) return []
  return object.gateways.slice(0, MOST_STAND_INS).flatMap((gateway) => {
    const [namespace = '', name = ''] = gateway.split('/')
    return gateway === 'mesh' || snapshot.find('Gateway', namespace, name) !== undefined
      ? []
      : [standIn(namespace, name, snapshot.settings.domain)]
  })
}

export function isStandIn({ kind, labels }: Context): boolean {
  return kind === 'gateway' && Object.hasOwn(labels, GATEWAY_LABEL)
}

function standIn(namespace: string, name: string, domain: string): Gateway {
  const servers = [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }]
  return parseAs(
    'Gateway',
    { metadata: { namespace, name }, spec: { selector: { [GATEWAY_LABEL]: `${namespace}/${name}` }, servers } },
    domain
  )
}
