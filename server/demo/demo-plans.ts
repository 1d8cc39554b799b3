/** What the demonstration's organizations pay for: three plans, and which of them fits whom. */
import type { CreatePlan } from "../contract/plans.ts";
import type { DemoOrganization } from "./demo-accounts.ts";

interface Size {
  name: string;
  fixedFee: { organization: string; reseller: string };
  /** In a cycle. */
  minutes: number;
  transcribedMinutes: number;
  participants: number;
}

/** From the smallest to the largest. */
const sizes: readonly Size[] = [
  {
    name: "Starter",
    fixedFee: { organization: "49", reseller: "29" },
    minutes: 12_000,
    transcribedMinutes: 400,
    participants: 25,
  },
  {
    name: "Team",
    fixedFee: { organization: "249", reseller: "149" },
    minutes: 80_000,
    transcribedMinutes: 2_000,
    participants: 60,
  },
  {
    name: "Business",
    fixedFee: { organization: "990", reseller: "590" },
    minutes: 400_000,
    transcribedMinutes: 10_000,
    participants: 250,
  },
];

const graduated = (first: string, beyond: string) => ({
  model: "graduated" as const,
  tiers: [
    { up_to: "10000", unit_price: first },
    { up_to: null, unit_price: beyond },
  ],
});

export const demoPlans: readonly CreatePlan[] = sizes.map(
  ({ name, fixedFee, minutes, transcribedMinutes, participants }, place) => ({
    name,
    node: "all",
    offered: true,
    currency: "EUR",
    fixed_fee: fixedFee,
    features: [
      {
        key: "participation_minutes",
        meter: "participation_minutes",
        included: String(minutes),
        overage: "bill",
        prices: { organization: graduated("0.004", "0.003"), reseller: graduated("0.0025", "0.002") },
      },
      {
        key: "transcribed_minutes",
        meter: "transcribed_minutes",
        included: String(transcribedMinutes),
        overage: "bill",
        prices: { organization: graduated("0.05", "0.04"), reseller: graduated("0.03", "0.025") },
      },
      { key: "max_concurrent_participants", meter: "max_concurrent_participants", included: String(participants) },
      { key: "custom_models", enabled: place > 0 },
    ],
  }),
);

/** Busy days in a month: weekends are quiet. */
const busyDays = 22;
/** Some grow a little beyond what they bought before they buy more. */
const outgrownBy = 1.15;

/** The name of the plan that `organization` would have bought: the smallest that nearly holds what it uses. */
export function planOf({ meetingsPerDay, meetingSize, meetingMinutes }: DemoOrganization): string {
  const minutes = meetingsPerDay * meetingSize * meetingMinutes * busyDays;
  return (sizes.find((size) => minutes <= size.minutes * outgrownBy) ?? (sizes.at(-1) as Size)).name;
}
