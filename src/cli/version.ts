/** What -version prints. */
import manifest from "../../package.json" with { type: "json" };

export function versionText(): string {
  return `muninn, version ${manifest.version} (node ${process.version}, ${process.platform}/${process.arch})\n`;
}
