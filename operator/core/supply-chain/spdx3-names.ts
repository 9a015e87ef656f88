// SPDX-License-Identifier: Apache-2.0

/** Classes of SPDX 3.0: what the `type` of an object may be, as the JSON schema of 3.0.1 lists them. */
export const CLASSES: ReadonlySet<string> = wordsOf(`
  Agent Annotation AnnotationType Bom Bundle CreationInfo DictionaryEntry ExternalIdentifier
  ExternalIdentifierType ExternalMap ExternalRef ExternalRefType Hash HashAlgorithm IndividualElement
  LifecycleScopeType LifecycleScopedRelationship NamespaceMap Organization PackageVerificationCode Person
  PositiveIntegerRange PresenceType ProfileIdentifierType Relationship RelationshipCompleteness
  RelationshipType SoftwareAgent SpdxDocument SupportType Tool ai_AIPackage ai_EnergyConsumption
  ai_EnergyConsumptionDescription ai_EnergyUnitType ai_SafetyRiskAssessmentType build_Build
  dataset_ConfidentialityLevelType dataset_DatasetAvailabilityType dataset_DatasetPackage
  dataset_DatasetType expandedlicensing_ConjunctiveLicenseSet expandedlicensing_CustomLicense
  expandedlicensing_CustomLicenseAddition expandedlicensing_DisjunctiveLicenseSet
  expandedlicensing_IndividualLicensingInfo expandedlicensing_ListedLicense
  expandedlicensing_ListedLicenseException expandedlicensing_OrLaterOperator
  expandedlicensing_WithAdditionOperator extension_CdxPropertiesExtension extension_CdxPropertyEntry
  security_CvssSeverityType security_CvssV2VulnAssessmentRelationship
  security_CvssV3VulnAssessmentRelationship security_CvssV4VulnAssessmentRelationship
  security_EpssVulnAssessmentRelationship security_ExploitCatalogType
  security_ExploitCatalogVulnAssessmentRelationship security_SsvcDecisionType
  security_SsvcVulnAssessmentRelationship security_VexAffectedVulnAssessmentRelationship
  security_VexFixedVulnAssessmentRelationship security_VexJustificationType
  security_VexNotAffectedVulnAssessmentRelationship
  security_VexUnderInvestigationVulnAssessmentRelationship security_Vulnerability
  simplelicensing_LicenseExpression simplelicensing_SimpleLicensingText software_ContentIdentifier
  software_ContentIdentifierType software_File software_FileKindType software_Package software_Sbom
  software_SbomType software_Snippet software_SoftwarePurpose
`);

/** What a relationship may say: both of 3.0.0, which had three of them otherwise, and of 3.0.1. */
export const RELATIONSHIPS: ReadonlySet<string> = wordsOf(`
  affects amendedBy ancestorOf availableFrom configures contains coordinatedBy copiedTo delegatedTo
  dependsOn descendantOf describes doesNotAffect expandsTo exploitCreatedBy fixedBy fixedIn foundBy
  generates hasAddedFile hasAssessmentFor hasAssociatedVulnerability hasConcludedLicense hasDataFile
  hasDeclaredLicense hasDeletedFile hasDependencyManifest hasDistributionArtifact hasDocumentation
  hasDynamicLink hasEvidence hasExample hasHost hasInput hasInputs hasMetadata hasOptionalComponent
  hasOptionalDependency hasOutput hasOutputs hasPrerequisite hasPrerequsite hasProvidedDependency
  hasRequirement hasSpecification hasStaticLink hasTest hasTestCase hasVariant invokedBy modifiedBy other
  packagedBy patchedBy publishedBy reportedBy republishedBy serializedInArtifact testedOn trainedOn
  underInvestigationFor usesTool
`);

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}
