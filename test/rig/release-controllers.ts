/** The real Argo Rollouts, of today and of before, and Flagger beside a control plane, each as the ServiceAccount that its installation makes. */
import { join } from 'node:path'
import { installReleaseControllers, type ReleaseController } from './binaries.ts'
import type { ControlPlane } from './control-plane.ts'
import { type LocalProcess, startProcess } from './local-process.ts'

export interface ReleaseControllers {
  /** Throws, with its last words, where one of them has ended. */
  check(): Promise<void>
  stop(): Promise<void>
}

/** Of metrics, which Flagger wants to be asked, no release here has any: nothing listens there. */
const METRICS_SERVER = 'http://127.0.0.1:1'
/** A Rollout with this label is left to the older Argo Rollouts, and all others to that of today: they are two in one cluster. */
export const OF_OLDER_ROLLOUTS = { 'argo-rollouts.argoproj.io/controller-instance-id': 'older' }
const ROLLOUTS_FLAGS = ['--leader-elect=false', '--healthzPort=0']

export async function startReleaseControllers(plane: ControlPlane): Promise<ReleaseControllers> {
  const { rollouts, olderRollouts, flagger } = await installReleaseControllers()
  for (const { definitions } of [rollouts, flagger]) {
    for (const file of definitions) await must(plane, 'apply', '--server-side', '-f', file)
    for (const file of definitions) await must(plane, 'wait', '--for=condition=Established', '--timeout=30s', '-f', file)
  }
  const start = async (name: string, namespace: string, { path }: ReleaseController, args: readonly string[]) => {
    await must(plane, 'create', 'namespace', namespace)
    await must(plane, 'create', 'serviceaccount', name, '-n', namespace)
    await must(plane, 'create', 'clusterrolebinding', namespace, '--clusterrole=cluster-admin', `--serviceaccount=${namespace}:${name}`)
    const kubeconfig = await plane.kubeconfigFor({ namespace, name })
    return startProcess({
      name: namespace,
      path,
      args: [...args, `--kubeconfig=${kubeconfig}`],
      log: join(plane.directory, `${namespace}.log`)
    })
  }
  const older = Object.values(OF_OLDER_ROLLOUTS).map((id) => `--instance-id=${id}`)
  const running: LocalProcess[] = [
    await start('argo-rollouts', 'argo-rollouts', rollouts, [...ROLLOUTS_FLAGS, '--metricsPort=0']),
    await start('argo-rollouts', 'older-argo-rollouts', olderRollouts, [...ROLLOUTS_FLAGS, '--metricsport=0', ...older]),
    await start('flagger', 'flagger-system', flagger, [
      '--mesh-provider=istio',
      `--metrics-server=${METRICS_SERVER}`,
      '--port=0',
      '--control-loop-interval=2s',
      '--log-level=info'
    ])
  ]
  return {
    check: async () => {
      for (const each of running) if (!each.running) throw new Error(`${each.name} ended:\n${await each.tail()}`)
    },
    stop: async () => {
      await Promise.all(running.map((each) => each.stop()))
    }
  }
}

async function must(plane: ControlPlane, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await plane.kubectl(args)
  if (code !== 0) throw new Error(stderr)
}
