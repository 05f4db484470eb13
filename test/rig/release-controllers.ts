/** The real Argo Rollouts and Flagger beside a control plane, each as the ServiceAccount that its installation makes. */
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

export async function startReleaseControllers(plane: ControlPlane): Promise<ReleaseControllers> {
  const { rollouts, flagger } = await installReleaseControllers()
  const start = async (name: string, namespace: string, { path, definitions }: ReleaseController, args: readonly string[]) => {
    for (const file of definitions) await must(plane, 'apply', '--server-side', '-f', file)
    for (const file of definitions) await must(plane, 'wait', '--for=condition=Established', '--timeout=30s', '-f', file)
    await must(plane, 'create', 'namespace', namespace)
    await must(plane, 'create', 'serviceaccount', name, '-n', namespace)
    await must(plane, 'create', 'clusterrolebinding', name, '--clusterrole=cluster-admin', `--serviceaccount=${namespace}:${name}`)
    const kubeconfig = await plane.kubeconfigFor({ namespace, name })
    return startProcess({ name, path, args: [...args, `--kubeconfig=${kubeconfig}`], log: join(plane.directory, `${name}.log`) })
  }
  const running: LocalProcess[] = [
    await start('argo-rollouts', 'argo-rollouts', rollouts, ['--leader-elect=false', '--metricsPort=0', '--healthzPort=0']),
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
