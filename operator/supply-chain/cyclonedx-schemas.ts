// SPDX-License-Identifier: Apache-2.0
import algorithms from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/cryptography-defs.SNAPSHOT.schema.json' with {
  type: 'json',
};
import bom14 from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/bom-1.4.SNAPSHOT.schema.json' with {
  type: 'json',
};
import bom15 from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/bom-1.5.SNAPSHOT.schema.json' with {
  type: 'json',
};
import bom16 from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/bom-1.6.SNAPSHOT.schema.json' with {
  type: 'json',
};
import bom17 from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/bom-1.7.SNAPSHOT.schema.json' with {
  type: 'json',
};
import licences from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/spdx.SNAPSHOT.schema.json' with {
  type: 'json',
};
import signatures from '../../node_modules/@cyclonedx/cyclonedx-library/res/schema/jsf-0.82.SNAPSHOT.schema.json' with {
  type: 'json',
};

/** The schemas of CycloneDX, by version. The library has them as files, and gives only a validator out that is quadratic in components. */
export const CYCLONEDX_SCHEMAS: Readonly<Record<string, object>> = {
  '1.4': bom14,
  '1.5': bom15,
  '1.6': bom16,
  '1.7': bom17,
};

/** What these name, by how they do. */
export const CYCLONEDX_PARTS: Readonly<Record<string, object>> = {
  'http://cyclonedx.org/schema/spdx.SNAPSHOT.schema.json': licences,
  'http://cyclonedx.org/schema/jsf-0.82.SNAPSHOT.schema.json': signatures,
  'http://cyclonedx.org/schema/cryptography-defs.SNAPSHOT.schema.json': algorithms,
};
