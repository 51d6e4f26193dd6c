// The types that codegen, gql.tada and Relay make of the scalars and enums of the schema: none is any, none unknown.
import type { me as codegen } from "../../../docs/examples/clients/codegen/use.ts";
import type { devicesQuery$data } from "../../../docs/examples/clients/relay/__generated__/devicesQuery.graphql.ts";
import type { JSONObject } from "../../../docs/examples/clients/relay/json.ts";
import type { me as tada } from "../../../docs/examples/clients/tada/use.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Of<F extends () => Promise<unknown>> = NonNullable<Awaited<ReturnType<F>>>;
type Relay = NonNullable<devicesQuery$data["me"]>;
type Status = "ACTIVE" | "SUSPENDED";
type Optional = JSONObject | null | undefined;

export const held: [
  Same<Of<typeof codegen>["createdAt"], string>,
  Same<Of<typeof tada>["createdAt"], string>,
  Same<Relay["createdAt"], string>,
  Same<Of<typeof codegen>["metadata"] | undefined, Optional>,
  Same<Of<typeof tada>["metadata"] | undefined, Optional>,
  Same<Relay["metadata"], Optional>,
  Same<`${Of<typeof codegen>["status"]}`, Status>,
  Same<Of<typeof tada>["status"], Status>,
  Same<Of<typeof codegen>["email"] | undefined, string | null | undefined>,
] = [true, true, true, true, true, true, true, true, true];

// What is wrong for a scalar is wrong for the compiler too.
export function wrong(a: Of<typeof codegen>, b: Of<typeof tada>, c: Relay) {
  // @ts-expect-error a text is no number
  const numbers: number[] = [a.createdAt, b.createdAt, c.createdAt];
  return numbers;
}
