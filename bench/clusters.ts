/** A real API server that holds a world of hosts. */
import type { ControlPlane } from '../test/rig/control-plane.ts'
import { store, stored } from './etcd.ts'
import { configurationOf, type Fields, nameOf, namespaces, podsOf, workloadsOf } from './worlds.ts'

/** The first and the one behind the last. */
interface Hosts {
  readonly from: number
  readonly to: number
}

/** Namespaces, Services, DestinationRules and VirtualServices of these hosts; `labelsOf` gives each host's objects further labels. */
export async function storeConfiguration(
  plane: ControlPlane,
  hosts: Hosts,
  labelsOf: (host: number) => Fields = () => ({})
): Promise<void> {
  await store(plane.etcd, namespaces().map(stored).map(active))
  await store(
    plane.etcd,
    each(hosts, (host) => configurationOf(host).map((manifest) => labelled(addressed(stored(manifest), host), labelsOf(host))))
  )
}

export async function storeWorkloads(plane: ControlPlane, hosts: Hosts): Promise<void> {
  await store(
    plane.etcd,
    each(hosts, (host) => workloadsOf(host).map(stored).map(deployed))
  )
}

/** `most` of each version. */
export async function storePods(plane: ControlPlane, hosts: Hosts, most?: number): Promise<void> {
  await store(
    plane.etcd,
    each(hosts, (host) => podsOf(host, most).map(stored).map(running))
  )
}

function* each({ from, to }: Hosts, manifestsOf: (host: number) => Fields[]): Generator<Fields> {
  for (let host = from; host < to; host++) yield* manifestsOf(host)
}

function active(namespace: Fields): Fields {
  return { ...namespace, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
}

function labelled(manifest: Fields, labels: Fields): Fields {
  return { ...manifest, metadata: { ...(manifest['metadata'] as Fields), labels } }
}

function addressed(manifest: Fields, host: number): Fields {
  if (manifest['kind'] !== 'Service') return manifest
  const clusterIP = `10.${96 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`
  const network = {
    clusterIP,
    clusterIPs: [clusterIP],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    internalTrafficPolicy: 'Cluster'
  }
  const ports = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }]
  return { ...manifest, spec: { ...(manifest['spec'] as Fields), ...network, ports, type: 'ClusterIP', sessionAffinity: 'None' } }
}

function deployed(deployment: Fields): Fields {
  const spec = deployment['spec'] as Fields
  const template = { ...(spec['template'] as Fields), spec: podSpec('') }
  return { ...deployment, spec: { ...spec, template }, status: { replicas: 4, readyReplicas: 4, updatedReplicas: 4, availableReplicas: 4 } }
}

/** As large as Pods are that a ReplicaSet made and a kubelet reports on: some 3 KB. */
export function running(pod: Fields): Fields {
  const metadata = pod['metadata'] as Fields
  const { nodeName } = pod['spec'] as { nodeName: string }
  const address = `10.244.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`
  const since = '2026-11-01T08:00:05Z'
  const conditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
    type,
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: since
  }))
  const containerStatuses = [
    {
      name: 'app',
      state: { running: { startedAt: since } },
      lastState: {},
      ready: true,
      started: true,
      restartCount: 0,
      image: 'registry.example.com/team/app:1.4.2',
      imageID: `registry.example.com/team/app@sha256:${'0123456789abcdef'.repeat(4)}`,
      containerID: `containerd://${'fedcba9876543210'.repeat(4)}`
    }
  ]
  const status = {
    phase: 'Running',
    conditions,
    hostIP: '10.0.0.7',
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: since,
    containerStatuses,
    qosClass: 'Burstable'
  }
  return {
    ...pod,
    metadata: { ...metadata, generateName: `${String(metadata['name']).slice(0, -2)}`, managedFields: [...MANAGERS] },
    spec: podSpec(nodeName),
    status
  }
}

const MANAGERS = [
  {
    manager: 'kube-controller-manager',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-11-01T08:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': {
        'f:generateName': {},
        'f:labels': { '.': {}, 'f:app': {}, 'f:pod-template-hash': {}, 'f:version': {} },
        'f:ownerReferences': { '.': {} }
      },
      'f:spec': {
        'f:containers': { 'k:{"name":"app"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:ports': {}, 'f:resources': {} } },
        'f:dnsPolicy': {}
      }
    }
  },
  {
    manager: 'kubelet',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-11-01T08:00:05Z',
    fieldsType: 'FieldsV1',
    subresource: 'status',
    fieldsV1: {
      'f:status': {
        'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {} } },
        'f:containerStatuses': {},
        'f:phase': {},
        'f:podIP': {}
      }
    }
  }
]

function podSpec(nodeName: string): Fields {
  return {
    ...(nodeName === '' ? {} : { nodeName }),
    containers: [
      {
        name: 'app',
        image: 'registry.example.com/team/app:1.4.2',
        ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
        env: ['LOG_LEVEL', 'REGION', 'FEATURES'].map((name) => ({ name, value: 'some value' })),
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: {
          httpGet: { path: '/ready', port: 'http', scheme: 'HTTP' },
          periodSeconds: 10,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3
        },
        volumeMounts: [{ name: 'kube-api-access', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'IfNotPresent'
      }
    ],
    volumes: [{ name: 'kube-api-access', emptyDir: {} }],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    tolerations: ['not-ready', 'unreachable'].map((taint) => ({
      key: `node.kubernetes.io/${taint}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300
    }))
  }
}

/** The path of a host's VirtualService. */
export function virtualServicePath(host: number, namespace: string): string {
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/virtualservices/${nameOf(host)}`
}
