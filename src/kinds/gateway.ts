/** Istio's Gateways: the listeners of gateway Pods. */
import { type Labels, selectorKey } from '../mesh/names/labels.ts'
import { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'
import { isLabel } from './refusals.ts'

export interface GatewayServer {
  readonly port: number
  readonly portName: string
  readonly protocol: string
  readonly hosts: readonly string[]
  readonly tlsMode: string
  readonly httpsRedirect: boolean
}

export interface MadeOf {
  /** `namespace/name` of the Gateway or ListenerSet. */
  readonly parent: string
  /** By the ports of the Service before the Pods, theirs. */
  readonly targetPorts: ReadonlyMap<number, number>
}

export interface Gateway extends Identity {
  readonly kind: 'Gateway'
  readonly selector: Labels
  readonly servers: readonly GatewayServer[]
  /** Made of a listener of the Gateway API, and null otherwise: only Pods of its own namespace use it. */
  readonly madeOf: MadeOf | null
}

export const gateways = defineKind({
  kind: 'Gateway',
  api: istioApi('gateways'),
  judged: true,
  parse: ({ spec }, identity): Gateway => ({
    kind: 'Gateway',
    ...identity,
    selector: spec.labels('selector'),
    servers: spec.each('servers', parseServer),
    madeOf: null
  }),
  refusals,
  indexes: {
    /** Gateways by the first pair of their selector; those without one, which every gateway proxy uses, under ''. */
    gatewayBySelector: ({ selector }) => (Object.keys(selector).length === 0 ? [''] : selectorKey('', selector))
  },
  reach: ({ namespace, name }) => [{ through: 'gateway', gateway: `${namespace}/${name}` }],
  isEntrance: true
})

function parseServer(server: Fields): GatewayServer {
  const port = server.child('port') ?? new Fields({}, [...server.path, 'port'])
  const tls = server.child('tls')
  return {
    port: port.number('number', 0),
    portName: port.string('name'),
    protocol: port.string('protocol').toUpperCase(),
    hosts: server.strings('hosts'),
    tlsMode: tls === null ? '' : String(tls.numberOrString('mode', 0)),
    httpsRedirect: tls?.boolean('httpsRedirect') ?? false
  }
}

function* refusals({ name, servers }: Gateway): Iterable<string> {
  if (!isLabel(name)) yield `invalid gateway name: "${name}"`
  if (servers.length === 0) yield 'gateway must have at least one server'
  const names = new Set<string>()
  for (const { portName } of servers) {
    if (names.has(portName)) yield `port names in servers must be unique: duplicate name ${portName}`
    names.add(portName)
  }
}
