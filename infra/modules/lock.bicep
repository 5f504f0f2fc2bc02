// Nobody deletes the responder, or its evidence, by mistake: whoever means to takes this off first.
resource lock 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'countersign'
  properties: {
    level: 'CanNotDelete'
    notes: 'Countersign answers alerts of Defender with this. docs/deploy.md says how to remove it.'
  }
}
