// #region config
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "schema.graphql",
  documents: ["use.ts"],
  generates: {
    "./gql/": {
      preset: "client",
      config: {
        useTypeImports: true,
        strictScalars: true, // a scalar without a type stops it, instead of being any
        scalars: { DateTime: "string", JSONObject: "../json.ts#JSONObject" },
      },
    },
  },
};
export default config;
// #endregion
