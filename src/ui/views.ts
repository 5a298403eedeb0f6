/** What the pages show. The composition root fills these from the components; nothing here knows them. */
import type { ServiceState } from "../base/service.ts";

export interface ServiceView {
  readonly name: string;
  readonly state: ServiceState;
  readonly failure: string | undefined;
}

export interface Readiness {
  readonly isReady: boolean;
  /** Why not, one sentence each. */
  readonly reasons: readonly string[];
}

export interface TenantView {
  readonly tenant: string;
  readonly seriesCount: number;
  /** Samples stored since the process started. */
  readonly samplesCount: number;
  /** Absent while the head is empty. */
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
  readonly memoryBytes: number;
}

export interface BuildView {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly nodeVersion: string;
}
