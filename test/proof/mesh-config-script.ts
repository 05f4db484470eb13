/** What an object leaves out is as the mesh has it: the same writes where its ConfigMap says otherwise than Istio, and where it says nothing. */
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { helloworld, workload } from './objects.ts'
import { apply, BOUND, CLASSES, type Script } from './scripts.ts'

/** istiod follows it while it runs, and so does hitless. */
const meshConfig = (mesh: Record<string, unknown>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'istio', namespace: 'istio-system' },
  data: { mesh: JSON.stringify(mesh) }
})
const OWN_NAMESPACE = ['.']
const PRIVATE = meshConfig({
  defaultDestinationRuleExportTo: OWN_NAMESPACE,
  defaultVirtualServiceExportTo: OWN_NAMESPACE,
  defaultServiceExportTo: OWN_NAMESPACE,
  outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' }
})

const exported = { exportTo: ['*'] }
const annotated = { ...helloworld(), metadata: { ...helloworld().metadata, annotations: { 'networking.istio.io/exportTo': '*' } } }
const routed = (spec: Record<string, unknown>) => virtualService([rule([to('v1')])], { ...BOUND, ...spec })

/** Each leaves out what the one that stands says of who sees it. */
const WITHOUT_EXPORT = [
  { object: destinationRule(['v1', 'v2']), standing: destinationRule(['v1', 'v2'], exported) },
  { object: routed({}), standing: routed(exported) },
  { object: helloworld(), standing: annotated }
]
const without = (where: string, object: Manifest) => apply(`${object.kind} without exportTo, ${where}`, object)

export const MESH_CONFIG_SCRIPT: Script = {
  name: 'mesh-config',
  title: "a mesh whose defaults are not Istio's",
  classes: CLASSES,
  base: [PRIVATE, ...WITHOUT_EXPORT.map(({ standing }) => standing), workload('v1'), workload('v2')],
  steps: [
    ...WITHOUT_EXPORT.flatMap(({ object, standing }) => [without('private', object), apply(`${object.kind} as it was`, standing)]),
    apply("Istio's own defaults", meshConfig({})),
    ...WITHOUT_EXPORT.map(({ object }) => without('public', object))
  ],
  careless: true
}
