/** Where requests of the proof come from and go to. */

/** Who asks: the sidecar of a client in namespace `clients`, and a gateway in namespace `ingress`. */
export type ProxyKind = 'sidecar' | 'gateway'

/** The ports on which the proxies listen: that of the Service, and that of the Gateway. */
export const PORTS: Readonly<Record<ProxyKind, number>> = { sidecar: 3000, gateway: 9080 }
export const CLIENTS = 'clients'
export const INGRESS = 'ingress'
export const INGRESS_LABELS = { istio: 'ingressgateway' }
/** Of a machine outside the cluster: no Pod gets it. */
export const MACHINE_ADDRESS = '10.244.255.201'
