/** `hitless look`: a page to look at manifests or a cluster, for this machine alone. */
import { Command } from 'commander'
import { type Cli, examples, namespaceOption, onCluster } from './command.ts'
import type { LookOptions } from './look-until-stopped.ts'

export function lookCommand({ io, done }: Cli): Command {
  return onCluster(new Command('look'), 'look at a cluster instead of files; the page follows it')
    .description(
      'a page for the browser, on this machine alone: hosts with their versions, shares and Ready Pods, gaps, and what a request gets'
    )
    .argument('[paths...]', 'files or folders; - is standard input')
    .option('--port <number>', 'of 127.0.0.1; 0 takes a free one', '0')
    .addOption(namespaceOption())
    .addHelpText('after', examples('hitless look mesh/', 'hitless look --cluster --context prod --port 8000'))
    .action(async (paths: string[], options: LookOptions) => {
      const { lookUntilStopped } = await import('./look-until-stopped.ts')
      done(await lookUntilStopped(paths, options, io))
    })
}
