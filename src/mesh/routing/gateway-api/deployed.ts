/** What stands before the Pods of a Gateway: the Services that it is bound to, its own among them. pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go. */
import { NAME_OVERRIDE } from '../../../kinds/identity.ts'
import type { KubernetesGateway } from '../../../kinds/kubernetes-gateway.ts'
import type { Pod } from '../../../kinds/pod.ts'
import type { Service } from '../../../kinds/service.ts'
import { serviceHost } from '../../names/hosts.ts'
import { own } from '../../names/own.ts'
import { podsSelected, type Snapshot } from '../../snapshot/snapshot.ts'
import { MANAGED } from '../gateways.ts'
import { isOfIstio, listenersOf, type PlacedListener } from './listeners.ts'

/** Istio labels the Pods with it that it deploys for a Gateway of the Gateway API. */
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name'
const CLASS_NAME = 'gateway.networking.k8s.io/gateway-class-name'

/** Istio deploys nothing for a Gateway whose address is the name of a Service. */
export function isManaged({ addresses }: KubernetesGateway): boolean {
  return addresses.every(({ type }) => type !== 'Hostname')
}

/** The Services of its own namespace that a Gateway is bound to, as far as they are there. */
export function servicesOf(snapshot: Snapshot, gateway: KubernetesGateway): Service[] {
  if (isManaged(gateway)) return [snapshot.find('Service', gateway.namespace, deployedName(gateway)) ?? []].flat()
  return gateway.addresses.flatMap(({ type, value }) => {
    if (type !== 'Hostname') return []
    return [...snapshot.lookup('serviceByHost', hostOfAddress(snapshot, gateway, value))].filter(
      ({ namespace }) => namespace === gateway.namespace
    )
  })
}

/** Whether a Service of the Gateway's namespace is one that it is bound to, or would be. */
export function namesServices(snapshot: Snapshot, gateway: KubernetesGateway, service: Service): boolean {
  if (isManaged(gateway)) return service.name === deployedName(gateway)
  return gateway.addresses.some(({ type, value }) => type === 'Hostname' && hostOfAddress(snapshot, gateway, value) === service.host)
}

function hostOfAddress({ settings }: Snapshot, { namespace }: KubernetesGateway, value: string): string {
  return value.includes('.') ? value : serviceHost(namespace, value, settings.domain)
}

function deployedName({ name, className, annotations }: KubernetesGateway): string {
  return own(annotations, NAME_OVERRIDE) ?? `${name}-${className}`
}

/** What Istio deploys for a Gateway, where the files that show the Gateway do not show it. */
export function deployedFor(snapshot: Snapshot, gateway: KubernetesGateway): (Service | Pod)[] {
  if (!isManaged(gateway) || !isOfIstio(snapshot, gateway)) return []
  const listeners = listenersOf(snapshot, gateway)
  const selector = { [GATEWAY_NAME]: gateway.name }
  const hasService = snapshot.find('Service', gateway.namespace, deployedName(gateway)) !== undefined
  const hasPods = podsSelected(snapshot, gateway.namespace, selector).length > 0
  return [...(hasService ? [] : [serviceOf(snapshot, gateway, listeners)]), ...(hasPods ? [] : [podOf(gateway)])]
}

function serviceOf(snapshot: Snapshot, gateway: KubernetesGateway, listeners: readonly PlacedListener[]): Service {
  const ports = new Map(
    listeners.map(({ listener: { port, protocol } }) => [
      port,
      {
        name: `${protocol.toLowerCase()}-${port}`,
        port,
        targetPort: port,
        protocol: 'TCP',
        appProtocol: '',
        traffic: protocol === 'HTTP' ? 'http' : protocol === 'TCP' ? 'tcp' : 'tls'
      } as const
    ])
  )
  const name = deployedName(gateway)
  return {
    ...identityOf(gateway, name),
    kind: 'Service',
    host: serviceHost(gateway.namespace, name, snapshot.settings.domain),
    selector: { [GATEWAY_NAME]: gateway.name },
    ports: [...ports.values()],
    externalName: null,
    headless: false,
    clusterIP: '',
    publishNotReadyAddresses: false,
    internalTrafficLocal: false,
    exportTo: []
  }
}

function podOf(gateway: KubernetesGateway): Pod {
  return {
    ...identityOf(gateway, `${deployedName(gateway)}-0`),
    kind: 'Pod',
    ready: true,
    node: '',
    portNames: [],
    hasSidecar: true,
    workload: `Deployment/${deployedName(gateway)}`
  }
}

function identityOf(gateway: KubernetesGateway, name: string) {
  return {
    namespace: gateway.namespace,
    name,
    uid: '',
    resourceVersion: '',
    createdMs: gateway.createdMs,
    deleting: false,
    finalizers: [],
    owners: [],
    labels: {
      ...(gateway.infrastructureLabels ?? gateway.labels),
      [GATEWAY_NAME]: gateway.name,
      [CLASS_NAME]: gateway.className,
      [MANAGED]: 'istio.io-gateway-controller'
    },
    annotations: {}
  }
}
