/** The mesh's own configuration, of which the ConfigMap holds the YAML: what of it decides about requests. istio.io/api, mesh/v1alpha1/config.proto. */
import { loadAll } from 'js-yaml'
import type { LabelSelector } from '../mesh/names/labels.ts'
import type { DefaultExports } from '../mesh/names/visibility.ts'
import { Fields, InvalidField } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'
import { parseLabelSelector } from './label-selector.ts'

/** Hosts that a client does not know are passed on to their address; REGISTRY_ONLY refuses them. */
export type OutboundTrafficPolicy = 'ALLOW_ANY' | 'REGISTRY_ONLY'

/** What somebody has set of a mesh; what is absent is as Istio has it. */
export interface MeshOptions extends DefaultExports {
  readonly rootNamespace?: string
  readonly outboundTrafficPolicy?: OutboundTrafficPolicy
  /** The namespaces of which istiod knows anything; none: all. */
  readonly discoverySelectors?: readonly LabelSelector[]
}

export interface MeshConfig extends Identity {
  readonly kind: 'MeshConfig'
  readonly options: MeshOptions
}

export const meshConfigs = defineKind<MeshConfig, never>({
  kind: 'MeshConfig',
  // Which of the ConfigMaps it is depends on the mesh; all others are no kind that anybody reads.
  api: { group: '', versions: ['v1'], plural: 'configmaps', namespaced: true, kind: 'ConfigMap', names: /^istio(?:-|$)/ },
  parse: ({ fields }, identity) => ({ kind: 'MeshConfig', ...identity, options: optionsOf(fields.child('data')?.string('mesh') ?? '') }),
  keepsReadable: true,
  indexes: {}
})

const PATH = ['data', 'mesh']

/** Fields that it does not know mean nothing to istiod (`ApplyMeshConfig`). */
function optionsOf(text: string): MeshOptions {
  const written = parsed(text) ?? {}
  const mesh = new Fields(written, PATH)
  const policy = mesh.child('outboundTrafficPolicy')?.numberOrString('mode', '') ?? ''
  const discoverySelectors = mesh.each('discoverySelectors', parseLabelSelector)
  return {
    ...(mesh.string('rootNamespace') === '' ? {} : { rootNamespace: mesh.string('rootNamespace') }),
    ...(policy === '' ? {} : { outboundTrafficPolicy: policyOf(policy) }),
    ...exports(mesh, 'defaultServiceExportTo'),
    ...exports(mesh, 'defaultVirtualServiceExportTo'),
    ...exports(mesh, 'defaultDestinationRuleExportTo'),
    ...(discoverySelectors.length === 0 ? {} : { discoverySelectors })
  }
}

function parsed(text: string): unknown {
  try {
    return loadAll(text)[0]
  } catch (cause) {
    throw new InvalidField(PATH, 'YAML', cause instanceof Error ? cause.message : text)
  }
}

function exports(mesh: Fields, field: keyof DefaultExports): DefaultExports {
  const names = mesh.strings(field)
  return names.length === 0 ? {} : { [field]: names }
}

function policyOf(mode: number | string): OutboundTrafficPolicy {
  if (mode === 'ALLOW_ANY' || mode === 1) return 'ALLOW_ANY'
  if (mode === 'REGISTRY_ONLY' || mode === 0) return 'REGISTRY_ONLY'
  throw new InvalidField([...PATH, 'outboundTrafficPolicy', 'mode'], 'ALLOW_ANY or REGISTRY_ONLY', mode)
}
