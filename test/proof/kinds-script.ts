/** One careless write of each of many kinds, each followed by the one that takes it back. */
import { DEBUG, destinationRule, HOST, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { CLIENTS, INGRESS, INGRESS_LABELS, MACHINE_ADDRESS, PORTS } from './addresses.ts'
import { CONTAINER_PORT } from './containers.ts'
import { helloworld, template, workload } from './objects.ts'
import { apply, CLASSES, remove, type Script, type WriteStep } from './scripts.ts'

const MACHINES = 'machines.example'
const ITEMS = 'items.default.svc.cluster.local'

const istio = (kind: string, name: string, spec: Record<string, unknown>, namespace = 'default'): Manifest => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace },
  spec
})

const machine = istio('WorkloadEntry', 'machine', { address: MACHINE_ADDRESS, labels: { app: 'machine' }, ports: { http: CONTAINER_PORT } })
const machines = (port: number) =>
  istio('ServiceEntry', 'machines', {
    hosts: [MACHINES],
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
    workloadSelector: { labels: { app: 'machine' } }
  })
const gateway = (host: string) =>
  istio(
    'Gateway',
    'helloworld',
    { selector: INGRESS_LABELS, servers: [{ port: { number: PORTS.gateway, name: 'http', protocol: 'HTTP' }, hosts: [host] }] },
    INGRESS
  )
/** It goes on importing what tells the proof that the proxies know. */
const sidecar = istio(
  'Sidecar',
  'default',
  { egress: [{ hosts: [`*/${ITEMS}`, 'marker/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } },
  CLIENTS
)
const items: Manifest = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'items', namespace: 'default' },
  spec: { replicas: 1, selector: { matchLabels: { app: 'items' } }, template: template({ app: 'items', version: 'items' }) }
}

const ITEMS_RULE = rule([{ destination: { host: ITEMS, port: { number: 3000 } } }], [{ uri: { prefix: '/api' } }])
const MACHINE_RULE = rule([{ destination: { host: MACHINES, port: { number: 80 } } }], DEBUG)
const routes = (...last: readonly Record<string, unknown>[]) =>
  virtualService([ITEMS_RULE, MACHINE_RULE, ...last], { hosts: [HOST], gateways: ['mesh', `${INGRESS}/helloworld`] })
const whole = routes(rule([to('v1')]))
const scale = (what: string, object: Manifest, replicas: number): WriteStep => ({ do: 'scale', what, object, replicas })

const standing = {
  virtualService: whole,
  destinationRule: destinationRule(['v1', 'v2']),
  service: helloworld(),
  deployment: workload('v1'),
  replicaSet: items,
  gateway: gateway(HOST),
  serviceEntry: machines(80),
  workloadEntry: machine
}

export const KINDS_SCRIPT: Script = {
  name: 'kinds',
  title: 'one careless write of each kind',
  classes: CLASSES,
  base: [...Object.values(standing), workload('v2'), helloworld({ app: 'items' }, 'items')],
  steps: [
    apply('VirtualService without a fallback', routes()),
    apply('VirtualService as it was', whole),
    apply('DestinationRule drops v1', destinationRule(['v2'])),
    apply('DestinationRule as it was', standing.destinationRule),
    apply('Service selects v2 only', helloworld({ app: 'helloworld', version: 'v2' })),
    apply('Service as it was', standing.service),
    scale('Deployment v1 to 0 replicas', standing.deployment, 0),
    apply('Deployment as it was', standing.deployment),
    scale('ReplicaSet to 0 replicas', items, 0),
    apply('ReplicaSet as it was', items),
    apply('Sidecar imports another host only', sidecar),
    remove('Sidecar deleted', sidecar),
    apply('Gateway has another host', gateway('other.example')),
    apply('Gateway as it was', standing.gateway),
    apply('ServiceEntry has another port', machines(8080)),
    apply('ServiceEntry as it was', standing.serviceEntry),
    remove('WorkloadEntry deleted', machine),
    apply('WorkloadEntry as it was', machine)
  ],
  careless: true
}
