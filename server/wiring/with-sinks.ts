/** The settings of a demonstration, which sends its messages to receivers of its own. */
import type { Config } from "../config.ts";

interface Sinks {
  smtpUrl: string;
  webhookUrl: string;
}

/** What the operator has set stands; of this machine nothing is reached but the sinks' receiver. */
export function withSinks(config: Config, { smtpUrl, webhookUrl }: Sinks): Config {
  const { hostname, port } = new URL(webhookUrl);
  const { outgoingAllow } = config;
  const isReceiver = (name: string, at: number) => name === hostname && at === Number(port);
  return {
    ...config,
    smtpUrl: config.smtpUrl ?? smtpUrl,
    outgoingAllow: { ...outgoingAllow, host: (name, at) => outgoingAllow.host(name, at) || isReceiver(name, at) },
  };
}
