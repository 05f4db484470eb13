/** `hitless demo`, as `npm start` runs it. */
import { Command } from 'commander'
import { type Cli, examples as lines } from './command.ts'

export function demoCommand({ io, examples, done }: Cli): Command {
  return new Command('demo')
    .description("the webhook on the guide's world, and the guide's release played against it")
    .option('--once', 'end after the release', false)
    .option('--port <number>', 'port of the webhook; 0 takes a free one', '0')
    .addHelpText('after', lines('hitless demo', 'hitless demo --once'))
    .action(async (options: { once: boolean; port: string }) => {
      const { playRelease } = await import('./play-release.ts')
      done(await playRelease({ examples, ...options }, io))
    })
}
