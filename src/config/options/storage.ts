/**
 * The bucket. Mimir lets several stores (blocks, rules) inherit from `common.storage`; here `blocks_storage` is the one that
 * inherits, and the order is Mimir's: common in the file, own in the file, common flag, own flag; the last one set wins.
 */
import { bool, choice, path, secret, text } from "../option.ts";

const common = (key: string) => ({
  yaml: `blocks_storage.${key}`,
  inherits: `common.storage.${key}`,
  scope: "cluster" as const,
  waitsFor: "object storage" as const,
});

export const storageOptions = {
  backend: choice(["filesystem", "s3"], {
    ...common("backend"),
    default: "filesystem",
    doc: "Where blocks are kept: a directory, or an S3 bucket.",
  }),
  s3: {
    endpoint: text({
      ...common("s3.endpoint"),
      default: "",
      doc: "Host, or host:port, of the S3 service.",
    }),
    region: text({
      ...common("s3.region"),
      default: "",
      doc: "Region. Empty: the one that the endpoint names.",
    }),
    bucketName: text({ ...common("s3.bucket_name"), default: "", doc: "Name of the bucket." }),
    accessKeyId: secret({ ...common("s3.access_key_id"), default: "", doc: "Access key." }),
    secretAccessKey: secret({
      ...common("s3.secret_access_key"),
      default: "",
      doc: "Secret of the access key.",
    }),
    insecure: bool({
      ...common("s3.insecure"),
      default: false,
      doc: "Use http in place of https.",
    }),
  },
  filesystem: {
    dir: path({
      ...common("filesystem.dir"),
      default: "",
      underDataDir: "blocks",
      doc: "Directory of the bucket when the backend is `filesystem`.",
    }),
  },
  storagePrefix: text({
    ...common("storage_prefix"),
    default: "",
    matches: /^[A-Za-z0-9]*$/,
    say: "is not a storage prefix (letters and digits)",
    doc: "Path in the bucket in front of everything.",
  }),
};
